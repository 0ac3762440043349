"""Redaction: finding what is private in texts and JSON, and masking it (docs/PRIVACY.md, Redaction)."""

from tailrace.redaction.categories import Category
from tailrace.redaction.custom import CustomPattern
from tailrace.redaction.json_walk import read_json, write_json
from tailrace.redaction.outcomes import Json, Redacted, Withheld, WithheldReason
from tailrace.redaction.redactor import NOOP_REDACTOR, Redactor, usual_redactor
from tailrace.redaction.rule import Detector
from tailrace.redaction.sensitive_keys import KeyRules, usual_key_rules
from tailrace.redaction.spans import Span, mask_of

__all__ = [
    "NOOP_REDACTOR",
    "Category",
    "CustomPattern",
    "Detector",
    "Json",
    "KeyRules",
    "Redacted",
    "Redactor",
    "Span",
    "Withheld",
    "WithheldReason",
    "mask_of",
    "read_json",
    "usual_key_rules",
    "usual_redactor",
    "write_json",
]
