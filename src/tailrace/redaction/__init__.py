"""Redaction: finding what is private in texts and JSON, and masking it (docs/PRIVACY.md, Redaction)."""

from tailrace.redaction.categories import Category
from tailrace.redaction.custom import CustomPattern
from tailrace.redaction.redactor import RedactedText, Redactor, usual_redactor
from tailrace.redaction.rule import Detector
from tailrace.redaction.sensitive_keys import KeyRules, usual_key_rules
from tailrace.redaction.spans import Span, mask_of

__all__ = [
    "Category",
    "CustomPattern",
    "Detector",
    "KeyRules",
    "RedactedText",
    "Redactor",
    "Span",
    "mask_of",
    "usual_key_rules",
    "usual_redactor",
]
