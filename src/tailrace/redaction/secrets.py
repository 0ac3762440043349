"""Credentials: keys and tokens of known issuers, tokens of known forms, and whatever is assigned to a telling name.

Issuers publish a prefix so that scanners can find what leaked; where there is none, the words around it have to tell.
"""

import base64
import binascii
import re
from typing import Final

from tailrace.redaction.categories import Category
from tailrace.redaction.linear import Re2Pattern
from tailrace.redaction.rule import Detector, rule

_LONGEST_HEADER_CHARACTERS: Final = 2048
_STOPS: Final = b".,;:!?)]}"
# Compounds with hyphens, which RFC 6750 lets stand in a token, are shorter.
_LONGER_THAN_WORDS: Final = 36
_USUAL_ARMOUR_BYTES: Final = 16 * 1024
_ARMOUR: Final = Re2Pattern(rb"[A-Za-z0-9+/=:,.\s\\()-]*")
# Python's own engine: single classes, which cannot backtrack.
_SEGMENT: Final = re.compile(rb"[A-Za-z0-9]+")
_UUID: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def _has_digit(text: bytes) -> bool:
    return any(48 <= code <= 57 for code in text)


def _mixed(letters: bytes) -> bool:
    """More than a quarter are capitals, and more than a quarter are not: names in camel case have fewer capitals."""
    capitals = sum(65 <= code <= 90 for code in letters)
    return len(letters) < capitals * 4 < len(letters) * 3


def _random_looking(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """A key has a long unbroken stretch with digits, or a UUID; `sk-learn-release-notes-2024` has neither.

    One in two hundred keys of thirty letters and digits has no digit; the mixture of its letters gives it away.
    """
    key = text[start:end]
    if _UUID.search(key) or any(
        (len(part) >= 12 and _has_digit(part)) or (len(part) >= 20 and _mixed(part)) for part in _SEGMENT.findall(key)
    ):
        return start, end
    return None


def _without_stops(text: bytes, start: int, end: int) -> tuple[int, int]:
    """What ends a sentence or closes a bracket after it is not part of it."""
    return start, start + len(text[start:end].rstrip(_STOPS))


def _bearer(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """What follows the word is a token if it has a digit or capitals inside, or is longer than any word."""
    start, end = _without_stops(text, start, end)
    token = text[start:end].split()[-1]
    capitals = len(token) >= 20 and not token[1:].islower() and not token.isupper()
    if _has_digit(token) or capitals or len(token) >= _LONGER_THAN_WORDS:
        return start, end
    return None


def _jwt(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """The first segment of a JWT or JWE is base64url of a JSON object with `alg` (RFC 7515 and 7516, section 4.1)."""
    start, end = _without_stops(text, start, end)
    header = text[start:end].split(b".", 1)[0][:_LONGEST_HEADER_CHARACTERS]
    try:
        decoded = base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4))
    except (binascii.Error, ValueError):
        return None
    return (start, end) if b'"alg"' in decoded else None


def _armoured(text: bytes, start: int, end: int) -> tuple[int, int]:
    """From the opening line to the closing one; if none is near, as far as it looks like the inside of a key."""
    closing = text.find(b"-----END", end, end + _USUAL_ARMOUR_BYTES)
    if closing < 0:
        # As far as it goes: a key of any length, and the next search begins behind it, so all of them stay linear.
        inside = _ARMOUR.between(text, end, len(text))
        limit = inside[1] if inside is not None and inside[0] == end else end
        closing = text.find(b"-----END", end, limit)
        if closing < 0:
            return start, limit
    tail = text.find(b"-----", closing + 8, closing + 80)
    return start, (tail + 5 if tail >= 0 else closing + 8)


def _assigned(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """In quotes a value is a credential; otherwise it must look like one.

    People write `Password: must be changed`, and programs `token = parse(line)`; neither writes a digit, or capitals
    inside, without reason. A setting `PASSWORD=letters` has no blanks around its sign.
    """
    found = text[start:end]
    sign = min(place for place in (found.find(b"="), found.find(b":")) if place >= 0)
    value = found[sign + 1 :].strip()
    if value[:1] in b"\"'\\":
        return start, end
    if (next_one := _NEXT_ONE.search(text, end - len(value), end)) is not None:
        value, end = value[: next_one.start() - end], next_one.start()
    end = _without_stops(text, start, end)[1]
    value = value.rstrip(_STOPS)
    settled = found[sign : sign + 1] == b"=" and not found[sign + 1 : sign + 2].isspace()
    if value.lower() in _NOTHINGS or _is_code(value, settled=settled) or _is_amount(text, start, found[:sign], value):
        return None
    credentials = value.split()[1:]
    if settled or _has_digit(value) or (credentials and not credentials[0][1:].islower()):
        return start, end
    return None


def _is_code(value: bytes, *, settled: bool) -> bool:
    """A call or an index, `parse(line` or `rows[0].key`, unless its name looks like a credential itself."""
    call = _CALL.match(value)
    if call is None:
        return False
    name = call[1]
    return not (_has_digit(name) and (settled or name != name.lower()))


def _is_amount(text: bytes, start: int, name: bytes, value: bytes) -> bool:
    """How many tokens a model may use, or how long a password has to be."""
    if _FEW.fullmatch(value):
        return True
    return value.isdigit() and _COUNTED.search(text[max(0, start - _CONTEXT_BYTES) : start] + name) is not None


# What ends a value without quotes before the next blank: a separator with another name and its sign behind it.
_NEXT_ONE: Final = re.compile(rb"[,;&)}\]][,;&)}\]({\[]{0,4}[A-Za-z_][A-Za-z0-9_.\-]{0,40}[=:]")
_CALL: Final = re.compile(rb"([A-Za-z_][A-Za-z0-9_.]*)[(\[](?:[^)\]]*[)\]](?![A-Za-z0-9])|[^)\]0-9]*\Z)")
_FEW: Final = re.compile(rb"[0-9]{1,2}-[0-9]{1,3}")
_COUNTED: Final = re.compile(
    rb"(?i)(?:max|min|maximum|minimum|total|per|input|output|prompt|completion|reasoning|cached|num|n)"
    rb"[ _.\-]?token[\\\"' \t]*\Z"
)
_CONTEXT_BYTES: Final = 16
_NOTHINGS: Final = frozenset((b"none", b"null", b"true", b"false", b"undefined"))
_NAMES: Final = (
    # `smtp.password`, `db_password`, and without a sign between, as in `dbPassword` and `PGPASSWORD`.
    rb"(?:[a-z0-9]{1,24}[_\-.]){0,4}[a-z0-9]{0,24}"
    rb"(?:passwords?|passwd|pwd|passphrase|senha|secret|api[_\- ]?key|apikey|secret[_\- ]?key|access[_\- ]?key"
    rb"|private[_\- ]?key|account[_\- ]?key|(?:access|refresh|auth|id|session|bearer|api)[_\- ]?token|token"
    rb"|authorization|credentials?)"
)
_VALUE: Final = (
    # In a text that was itself put in quotes, every quote has a backslash; in others, one inside the value has.
    rb"(?:\\{1,7}\"[^\"\x00\r\n]+\"?|\"(?:[^\"\\\x00\r\n]|\\[^\x00\r\n])+\"?|'[^'\x00\r\n]+'?"
    # To the next blank; `_assigned` says where in that it ends.
    rb"|(?:(?:basic|digest|bearer|negotiate|token)[ \t]+)?"
    rb"[^\s\"'<>,;&(){}\[\]\x00\\][^\s\"'<>\x00\\]{3,})"
)
_USER_INFO: Final = rb"[^\s/@:\"'<>\x00]*"
_SCHEMES: Final = (
    rb"(?:postgres(?:ql)?|mysqlx?|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|cockroachdb|clickhouse"
    rb"|snowflake|kafka|nats|ldaps?|smtps?|imaps?|sftp|ftps?|ssh|mqtts?|influxdb|neo4j|bolt|couchbase|cassandra)"
    rb"(?:\+[a-z0-9]{1,16})?"
)

# What some token begins with; words that a credential is named by; and what comes between a scheme and a host.
_MARKED: Final = Re2Pattern(
    rb"[spr]k[\-_]|xox|xapp-|hooks\.slack|gh[pousr]_|github_pat_|A(?:KI|SI|BI|CC)A|AIza|ya29\.|GOCSPX-|X-Goog-"
    rb"|[78]Q~|eyJ|PRIVATE KEY|;base64,"
)
_NAMED: Final = Re2Pattern(
    rb"(?i)pass|pwd|senha|secret|key|token|credential|authorization|bearer|sig=|aws|x-amz-|cookie:"
)
_LOCATED: Final = Re2Pattern(rb"://")

SECRETS: Final[tuple[Detector, ...]] = (
    # RFC 7468, and OpenPGP's variant of it (RFC 9580, section 6.2.1).
    rule(
        "pem",
        Category.PRIVATE_KEY,
        _MARKED,
        rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
        check=_armoured,
        edges=(0, 0),
        retry_inside=False,
    ),
    # RFC 3986, section 3.2.1: user information with a password. Databases' passwords are often not escaped.
    rule(
        "connection_url",
        Category.CONNECTION_STRING,
        _LOCATED,
        rb"(?i)(?:jdbc:)?(?:"
        + _SCHEMES
        + rb"://"
        + _USER_INFO
        + rb":[^\s\"'<>\x00]+@|[a-z][a-z0-9+.\-]{1,30}://"
        + _USER_INFO
        + rb":[^\s/\"'<>\x00]+@)[^\s\"'<>\x00`(){}|\\;]+",
        check=_without_stops,
        edges=(1, 0),
        retry_inside=False,
    ),
    # ADO.NET and ODBC connection strings: parts `name=value;`, in any order.
    rule(
        "connection_parts",
        Category.CONNECTION_STRING,
        _NAMED,
        rb"(?i);[ ]?(?:password|pwd)[ ]?=[ ]?(?:\"[^\";\x00\r\n]+|'[^';\x00\r\n]+|[^;\s\x00\"']+)",
        edges=(0, 0),
    ),
    rule(
        "jwt",
        Category.JWT,
        _MARKED,
        rb"eyJ[A-Za-z0-9_\-]{10,}(?:\.[A-Za-z0-9_\-]*){2,4}",
        check=_jwt,
        edges=(1, 0),
        retry_inside=False,
    ),
    # Anthropic: sk-ant-, kind and version, then the key.
    rule("anthropic", Category.ANTHROPIC_KEY, _MARKED, rb"sk-ant-[A-Za-z0-9_\-]{16,}", edges=(1, 0)),
    # OpenAI (sk-, sk-proj-, sk-svcacct-), Stripe (sk_live_, pk_test_, rk_live_), Langfuse (pk-lf-) and those like them.
    rule(
        "secret_or_publishable",
        Category.API_KEY,
        _MARKED,
        rb"(?:sk|pk|rk)[-_][A-Za-z0-9_\-]{16,}",
        check=_random_looking,
        edges=(1, 0),
        retry_inside=False,
    ),
    # Slack: tokens xox?-, configuration and app tokens, incoming webhooks.
    rule(
        "slack",
        Category.SLACK_TOKEN,
        _MARKED,
        rb"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9\-]{10,}|xapp-[0-9]-[A-Za-z0-9\-]{10,}"
        rb"|hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_\-]{16,}",
        edges=(1, 0),
    ),
    # GitHub: ghp_, gho_, ghu_, ghs_, ghr_ and fine-grained personal access tokens.
    rule(
        "github",
        Category.GITHUB_TOKEN,
        _MARKED,
        rb"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}",
        edges=(1, 0),
    ),
    # AWS: unique ids of IAM (prefix and 16 characters of base 32), the secret beside them, signed requests.
    rule(
        "aws",
        Category.AWS_KEY,
        _MARKED,
        rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    ),
    rule(
        "aws_secret",
        Category.AWS_KEY,
        _NAMED,
        rb"(?i)aws[a-z_\- ]{0,24}(?:secret|session)[a-z_\- ]{0,24}[\\\"']{0,8}[ \t]{0,4}[:=][ \t]{0,4}[\\\"']{0,8}"
        rb"[A-Za-z0-9/+=]{40,}",
        edges=(1, 0),
        retry_inside=False,
    ),
    rule(
        "signed_url",
        Category.AWS_KEY,
        _NAMED,
        rb"(?i)X-Amz-(?:Signature|Credential|Security-Token)=[A-Za-z0-9%/+=_\-]{16,}",
        edges=(1, 0),
    ),
    # Google: API keys, OAuth access tokens and client secrets, signed URLs.
    rule(
        "google",
        Category.GOOGLE_KEY,
        _MARKED,
        rb"AIza[0-9A-Za-z_\-]{35}|ya29\.[0-9A-Za-z_\-]{20,}|GOCSPX-[0-9A-Za-z_\-]{28}"
        rb"|X-Goog-Signature=[0-9A-Fa-f]{64,}",
        edges=(1, 0),
    ),
    # Azure: storage and service bus keys, shared access signatures, client secrets of Entra ID.
    rule(
        "azure",
        Category.AZURE_KEY,
        _NAMED,
        rb"(?i:AccountKey|SharedAccessKey)[ ]?=[ ]?[A-Za-z0-9+/]{40,}={0,2}|sig=[A-Za-z0-9%+/]{40,}={0,2}",
        edges=(1, 0),
    ),
    rule(
        "azure_client_secret",
        Category.AZURE_KEY,
        _MARKED,
        rb"[A-Za-z0-9_~.\-]{3}[78]Q~[A-Za-z0-9_~.\-]{31,34}",
        edges=(1, 0),
    ),
    # RFC 2397: content in another dress, which no detector can read.
    rule(
        "inline_media",
        Category.OPAQUE,
        _MARKED,
        rb"data:[A-Za-z0-9.+\-/]{0,127}(?:;[A-Za-z0-9=.+\-]{1,64}){0,4};base64,[A-Za-z0-9+/=_\-%]{8,}",
        edges=(1, 0),
    ),
    # RFC 6750, section 2.1.
    rule(
        "bearer",
        Category.BEARER_TOKEN,
        _NAMED,
        rb"(?i)bearer[ \t]{1,4}[A-Za-z0-9\-._~+/]{16,}={0,2}",
        check=_bearer,
        edges=(1, 0),
        retry_inside=False,
    ),
    # A telling name with a value, in texts that are no JSON: logs, settings, headers, JSON that was cut off.
    rule(
        "assignment",
        Category.PASSWORD,
        _NAMED,
        rb"(?i)" + _NAMES + rb"[\\\"']{0,8}[ \t]{0,4}[:=][ \t]{0,4}" + _VALUE,
        check=_assigned,
        edges=(1, 0),
        retry_inside=False,
    ),
    # RFC 6265, sections 4.1 and 4.2: everything in such a header belongs to one session.
    rule(
        "cookie",
        Category.PASSWORD,
        _NAMED,
        rb"(?i)cookie:[ \t]{0,4}[^\s=;\x00]+=[^\x00\r\n]+",
        edges=(1, 0),
        retry_inside=False,
    ),
    # The same names as elements, and as options of a command line.
    rule(
        "element",
        Category.PASSWORD,
        _NAMED,
        rb"(?i)<" + _NAMES + rb">[^<\x00]+<",
        edges=(0, 1),
        retry_inside=False,
    ),
    rule(
        "option",
        Category.PASSWORD,
        _NAMED,
        rb"(?i)--" + _NAMES + rb"[ \t]{1,4}(?:\"[^\"\x00\r\n]+\"?|'[^'\x00\r\n]+'?|[^\s\"'\x00\-][^\s\"'\x00]{3,})",
        check=_without_stops,
        edges=(1, 0),
        retry_inside=False,
    ),
)
