"""What only making a store shows stops a run before it starts, with the key and without the secret."""

from pathlib import Path

import pytest

from tests.kafka.command import tailrace

CAPTURE = """
kafka: {bootstrap_servers: '127.0.0.1:1'}
events: {topic: agent.events, group: g}
capture:
  store: %s
  redaction:
    policy_id: ours.v1
    patterns: [{category: employee_id, pattern: '%s'}]
  policies:
    all: {mode: payload_refs, part_limit_bytes: 1000, event_limit_bytes: 1000}
sinks:
  s: {kind: test, content: {mode: payload_refs, policy: all}}
"""


@pytest.mark.parametrize(
    ("store", "pattern", "key"),
    [
        ("{kind: inline}", "(a)\\1", "capture.redaction.patterns.0"),
        ("{kind: reference, url: 's3://', name: kept}", "E[0-9]{6}", "capture.store"),
    ],
)
def test_a_store_or_pattern_that_cannot_be_made_ends_the_command_with_its_key(
    tmp_path: Path, store: str, pattern: str, key: str
) -> None:
    config = tmp_path / "tailrace.yaml"
    config.write_text(CAPTURE % (store, pattern), encoding="utf-8")
    ended = tailrace("run", "--config", str(config))
    assert ended.returncode == 2
    assert f"error: {key}: " in ended.stderr
    assert pattern not in ended.stderr
