"""The independent audit: reads events, sinks, dead letters, ledger and cursors, recomputes, and says what is missing.

It shares no code with what it judges: the rules are stated a second time, framing is parsed by its own lines, fastavro
decodes. A defect would have to be made twice, in two ways, to go unnoticed.
"""

from tailrace.audit.errors import AuditError, EvidenceUnreadable, PlanInvalid
from tailrace.audit.findings import Finding, FindingCode, NoteCode
from tailrace.audit.kafka_evidence import KafkaEvidence
from tailrace.audit.plan import (
    AuditOptions,
    AuditPlan,
    Cluster,
    DeadLetterPlan,
    FileDestination,
    KafkaDestination,
    NoDestination,
    Omission,
    Selection,
    SinkPlan,
)
from tailrace.audit.plan_form import plan_from_json, plan_to_json
from tailrace.audit.proof import audit
from tailrace.audit.report import ADDS_UP, DOES_NOT_ADD_UP, NO_VERDICT, AuditReport, SinkReport
from tailrace.audit.standing import Totals

__all__ = [
    "ADDS_UP",
    "DOES_NOT_ADD_UP",
    "NO_VERDICT",
    "AuditError",
    "AuditOptions",
    "AuditPlan",
    "AuditReport",
    "Cluster",
    "DeadLetterPlan",
    "EvidenceUnreadable",
    "FileDestination",
    "Finding",
    "FindingCode",
    "KafkaDestination",
    "KafkaEvidence",
    "NoDestination",
    "NoteCode",
    "Omission",
    "PlanInvalid",
    "Selection",
    "SinkPlan",
    "SinkReport",
    "Totals",
    "audit",
    "plan_from_json",
    "plan_to_json",
    "run_audit",
]


def run_audit(plan: AuditPlan, options: AuditOptions | None = None) -> AuditReport:
    """Audit what is on Kafka and on disk now; it changes nothing there.

    Raises EvidenceUnreadable when something cannot be read to its end, PlanInvalid for a plan that contradicts itself:
    nothing was proved then. Any thread; it makes its own clients.
    """
    with KafkaEvidence(plan) as evidence:
        return audit(plan, options or AuditOptions(), evidence)
