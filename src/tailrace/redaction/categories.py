"""What can be found in a text, by name; the name is what a mask shows."""

from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """A sort of private text. Where two finds overlap, the one that stands earlier here names the mask.

    `sensitive_key`, `opaque` and `too_deep` are not found in texts: a value is masked for the key it stands under, for
    being sealed by a provider, or for lying deeper than anybody looks (docs/PRIVACY.md, Redaction).
    """

    PRIVATE_KEY = "private_key"
    CONNECTION_STRING = "connection_string"
    JWT = "jwt"
    ANTHROPIC_KEY = "anthropic_key"
    API_KEY = "api_key"
    SLACK_TOKEN = "slack_token"  # noqa: S105 - the name of a category, and no token
    GITHUB_TOKEN = "github_token"  # noqa: S105 - the name of a category, and no token
    AWS_KEY = "aws_key"
    GOOGLE_KEY = "google_key"
    AZURE_KEY = "azure_key"
    BEARER_TOKEN = "bearer_token"  # noqa: S105 - the name of a category, and no token
    PASSWORD = "password"  # noqa: S105 - the name of a category, and no password
    PIX_KEY = "pix_key"
    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    CNPJ = "cnpj"
    CPF = "cpf"
    PHONE = "phone"
    US_SSN = "us_ssn"
    IPV6 = "ipv6"
    IPV4 = "ipv4"
    SENSITIVE_KEY = "sensitive_key"
    OPAQUE = "opaque"
    TOO_DEEP = "too_deep"


_ORDER: Final = {category.value: place for place, category in enumerate(Category)}


def precedence(category: str) -> tuple[int, str]:
    """Sorts categories: those of `Category` in its order, then the operator's own by name."""
    return _ORDER.get(category, len(_ORDER)), category
