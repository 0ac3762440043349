"""What reaches a Kafka client, and what never does."""

from pathlib import Path

import pytest

from tailrace.settings.kafka import FIRST_WAIT, LONGEST_WAIT, PREFERRED
from tailrace.settings.passthrough import DENIED, refusal
from tests.unit.settings.written import PLAIN, loaded, only, refused

WORD = "correct-horse-battery"


def with_kafka(keys: str) -> str:
    return PLAIN.replace("  bootstrap_servers: kafka-1:9092\n", f"  bootstrap_servers: kafka-1:9092\n{keys}")


def sasl(password: str) -> str:
    return with_kafka(
        f"  security: {{protocol: sasl_ssl, sasl_mechanism: scram-sha-512, sasl_username: u, {password}}}\n"
    )


def test_address_security_and_pass_through_become_client_properties(tmp_path: Path) -> None:
    text = sasl(f"sasl_password: {WORD}") + ""
    text = text.replace(
        "events:\n", "  librdkafka: {socket.keepalive.enable: true, socket.timeout.ms: 7000}\nevents:\n"
    )

    assert loaded(tmp_path, text).kafka.properties() == {
        **PREFERRED,
        "bootstrap.servers": "kafka-1:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": WORD,
        "socket.keepalive.enable": True,
        "socket.timeout.ms": 7_000,
    }


def test_a_password_is_not_in_what_is_printed(tmp_path: Path) -> None:
    settings = loaded(tmp_path, sasl(f"sasl_password: {WORD}"))

    assert WORD not in repr(settings)
    assert WORD not in str(settings)
    assert WORD not in settings.model_dump_json()


def test_a_password_can_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "word"
    file.write_text(f"{WORD}\n", encoding="utf-8")

    settings = loaded(tmp_path, sasl(f"sasl_password_file: {file}"))

    assert settings.kafka.properties()["sasl.password"] == WORD


MISPLACED = {
    "below a misspelt key": with_kafka(f"  security: {{protocol: SASL_SSL, sasl_pasword: {WORD}}}\n"),
    "as the protocol": with_kafka(f"  security: {{protocol: {WORD}}}\n"),
    "as the port": PLAIN.replace("kafka-1:9092", f"kafka-1:{WORD}"),
    "as a number": PLAIN.replace("sinks:", f"worker: {{commit_interval_ms: {WORD}}}\nsinks:"),
    "where a mapping belongs": with_kafka(f"  security: {WORD}\n"),
    "in broken YAML": with_kafka(f"  security: {{sasl_password: {WORD}: x]\n"),
    "in the pass-through": with_kafka(f"  librdkafka: {{sasl.password: {WORD}}}\n"),
    "beside a password file": sasl(f"sasl_password: {WORD}, sasl_password_file: /dev/null"),
}


@pytest.mark.parametrize("text", MISPLACED.values(), ids=MISPLACED.keys())
def test_no_message_repeats_what_may_be_a_password(tmp_path: Path, text: str) -> None:
    assert all(WORD not in str(finding) for finding in refused(tmp_path, text))


def test_no_message_repeats_the_value_of_a_variable(tmp_path: Path) -> None:
    environ = {"TAILRACE_KAFKA__SECURITY__SASL_PASWORD": WORD, "TAILRACE_KAFKA__SECURITY": WORD}

    assert all(WORD not in str(finding) for finding in refused(tmp_path, environ=environ))


CONTRADICTIONS = {
    "SASL without a user": ("{protocol: SASL_SSL, sasl_mechanism: PLAIN}", "needs sasl_mechanism, sasl_username"),
    "a user without SASL": ("{protocol: SSL, sasl_username: u}", "sasl_username has no effect with protocol SSL"),
    "a certificate without its key": (
        "{protocol: SSL, certificate_location: FILE}",
        "certificate needs its key",
    ),
    "files without TLS": ("{ca_location: FILE}", "ca_location has no effect with protocol PLAINTEXT"),
}


@pytest.mark.parametrize(("security", "wrong"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_security_that_contradicts_itself_is_refused(tmp_path: Path, security: str, wrong: str) -> None:
    (tmp_path / "pem").touch()
    text = with_kafka(f"  security: {security.replace('FILE', str(tmp_path / 'pem'))}\n")

    finding = only(refused(tmp_path, text))

    assert finding.key == "kafka.security"
    assert wrong in finding.wrong


def test_security_files_must_exist(tmp_path: Path) -> None:
    pem = only(refused(tmp_path, with_kafka(f"  security: {{protocol: SSL, ca_location: {tmp_path}/none.pem}}\n")))
    word = only(refused(tmp_path, sasl(f"sasl_password_file: {tmp_path}/none")))

    assert (pem.key, pem.wrong) == ("kafka.security.ca_location", "is not a file that exists")
    assert word.key == "kafka.security"
    assert word.wrong == f"the file {tmp_path}/none does not exist"


@pytest.mark.parametrize("name", [*DENIED, "error_cb", "rebalance_cb", "on_delivery", "logger", "test.mock.x"])
def test_a_property_that_a_promise_rests_on_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    finding = only(refused(tmp_path, with_kafka(f"  librdkafka: {{{name}: 1}}\n")))

    why, remedy = refusal(name) or ("", "")
    assert finding.key == (f'kafka.librdkafka."{name}"' if "." in name else f"kafka.librdkafka.{name}")
    assert finding.wrong == f"may not be set: {why}"
    assert finding.remedy == remedy
    assert why
    assert remedy


def test_the_deny_list_covers_what_the_design_names() -> None:
    named = {
        "enable.auto.commit",
        "enable.auto.offset.store",
        "group.id",
        "auto.offset.reset",
        "enable.idempotence",
        "partitioner",
        "isolation.level",
        "bootstrap.servers",
        "transactional.id",
        "enable.gapless.guarantee",
        "acks",
        "check.crcs",
    }

    assert named <= DENIED.keys()


def test_two_clusters_are_one_if_they_share_an_address(tmp_path: Path) -> None:
    one = loaded(tmp_path, PLAIN.replace("kafka-1:9092", "a:1, b:2")).kafka
    same = loaded(tmp_path, PLAIN.replace("kafka-1:9092", "b:2,c:3")).kafka
    other = loaded(tmp_path, PLAIN.replace("kafka-1:9092", "c:3")).kafka

    assert one.bootstrap_servers == "a:1,b:2"
    assert one.is_same_cluster_as(same)
    assert not one.is_same_cluster_as(other)


def test_what_is_only_preferred_can_be_changed(tmp_path: Path) -> None:
    changed = ", ".join(f"{name}: 5" for name in PREFERRED)

    properties = loaded(tmp_path, with_kafka(f"  librdkafka: {{{changed}}}\n")).kafka.properties()

    assert {name: properties[name] for name in PREFERRED} == dict.fromkeys(PREFERRED, 5)


@pytest.mark.parametrize(
    ("chosen", "first", "longest"),
    [
        ("{reconnect.backoff.max.ms: 200}", 200, 200),
        ("{reconnect.backoff.max.ms: 9000}", 500, 9_000),
        ("{reconnect.backoff.ms: 50}", 50, 1_000),
        ("{reconnect.backoff.ms: 4000}", 4_000, 4_000),
        ("{reconnect.backoff.ms: 4000, reconnect.backoff.max.ms: 200}", 4_000, 200),
        ("{reconnect.backoff.max.ms: soon}", 500, "soon"),
    ],
)
def test_one_wait_that_is_chosen_takes_the_other_with_it(tmp_path: Path, chosen: str, first: int, longest: int) -> None:
    """A client refuses a first wait above the longest, which somebody who set one of them did not ask for.

    Who sets both so, or sets no number, is told by the client's own message, which names the property.
    """
    properties = loaded(tmp_path, with_kafka(f"  librdkafka: {chosen}\n")).kafka.properties()
    assert (properties[FIRST_WAIT], properties[LONGEST_WAIT]) == (first, longest)
