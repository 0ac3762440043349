"""`python -m tailrace.audit PLAN`: an audit as a process of its own, of a plan that another program wrote."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from tailrace.audit import NO_VERDICT, AuditError, AuditOptions, plan_from_json, run_audit
from tailrace.audit.command import omission_from, show


def main(arguments: list[str] | None = None) -> int:
    """Carry out the audit that the arguments ask for. Returns the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        text = sys.stdin.read() if asked.plan == "-" else Path(asked.plan).read_text(encoding="utf-8")
        options = AuditOptions(
            min_events=asked.min_events,
            require_complete=asked.require_complete,
            expect_no_duplicates=asked.expect_no_duplicates,
            canaries=tuple(canary.encode() for canary in asked.canary),
            omissions=tuple(omission_from(spec) for spec in asked.without_record),
        )
        report = run_audit(plan_from_json(text), options)
    except (AuditError, OSError, UnicodeDecodeError) as problem:
        sys.stderr.write(f"no verdict: {problem}\n")
        return NO_VERDICT
    show(report, Console(), as_json=asked.json)
    return report.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tailrace.audit",
        description="Prove that every event was exported or accounted for, per sink.",
        epilog="Exit codes: 0 it adds up, 1 it does not, 2 no verdict: the plan is wrong or something cannot be read.",
    )
    parser.add_argument("plan", help="the plan as JSON; - for standard input")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--min-events", type=int, default=0, metavar="N", help="fewer events than this do not add up")
    parser.add_argument("--require-complete", action="store_true", help="every sink has to be at the end of the log")
    parser.add_argument("--expect-no-duplicates", action="store_true", help="no sink may have a record twice")
    parser.add_argument("--canary", action="append", default=[], metavar="TEXT", help="must not occur anywhere")
    parser.add_argument("--without-record", action="append", default=[], metavar="SPEC", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
