"""What identifies a person or a machine of theirs: addresses, telephone numbers, numbers that registries give out."""

import ipaddress
import re
from typing import Final

from tailrace.redaction.categories import Category
from tailrace.redaction.check_digits import is_cnpj, is_cpf
from tailrace.redaction.linear import Re2Pattern
from tailrace.redaction.rule import EDGE, MANY_DIGITS, Detector, rule

# Two-digit country codes, and the first two digits of those with three, of ITU-T E.164; 1 and 7 stand alone.
_TWO_DIGIT_CODES: Final = frozenset(
    b"20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66"
    b" 81 82 84 86 90 91 92 93 94 95 98".split()
)
_THREE_DIGIT_DECADES: Final = frozenset(b"21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99".split())
_VERSION_WORD: Final = re.compile(rb"(?i)(?:version|vers[a\xe3]o|build|release|firmware)[ :=#]{0,2}\Z")
_IN_A_WORD: Final = re.compile(rb"[A-Za-z_\xc0-\xff]")
_DATE: Final = re.compile(rb" (?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]")
_EXTENSION: Final = re.compile(rb"(?i)(?:x|ext|r|ramal)\.?[0-9]")
_SSN_WORD: Final = re.compile(rb"(?i)\b(?:ssn|social security)\b")
# How far back a word that explains a number may stand.
_CONTEXT_BYTES: Final = 32
_LONGEST_IPV6_CHARACTERS: Final = 45
_SLICE: Final = re.compile(rb"(?!::1\Z)[0-9A-Fa-f]{0,3}::[0-9A-Fa-f]{0,3}")
_NOT_DIGITS: Final = bytes(code for code in range(256) if not 48 <= code <= 57)
_PUNCTUATION: Final = b" .-/"


def _digits(text: bytes) -> bytes:
    return text.translate(None, _NOT_DIGITS)


def _email(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Not `git@host:path`, where a repository lies, nor `icon@2x.png`, which is a picture for dense screens."""
    address = text[start:end]
    if address.startswith(b"git@") and text[end : end + 1] == b":":
        return None
    return None if re.search(rb"@[0-9]x\.[a-z]+\Z", address) else (start, end)


def _phone(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """The longest run of whole digit groups from the plus that can be a number.

    A date, an opening hour or a second number may have been proposed along with it.
    """
    date = _DATE.search(text, start, end + 3)
    ends = range(start + 1, (date.start() if date else end) + 1)
    for stop in reversed([place for place in ends if text[place - 1 : place].isdigit()]):
        if not _number_goes_on(text, stop) and _could_be_dialled(_digits(text[start:stop])):
            return start, stop
    return None


def _number_goes_on(text: bytes, stop: int) -> bool:
    """Whether it is longer, the beginning of a word, or of a fraction or a time such as `24/7` and `10:30`."""
    behind = text[stop : stop + 1]
    if behind in {b"/", b":"}:
        return text[stop + 1 : stop + 2].isdigit()
    return behind.isdigit() or bool(_IN_A_WORD.match(behind) and not _EXTENSION.match(text, stop))


def _could_be_dialled(digits: bytes) -> bool:
    """Eight to fifteen digits, with a country code that is given out; in zone 1, eleven."""
    if digits[:1] == b"1":
        return len(digits) == 11 and digits[1] >= 50
    known = digits[:1] == b"7" or digits[:2] in _TWO_DIGIT_CODES or digits[:2] in _THREE_DIGIT_DECADES
    return known and 8 <= len(digits) <= 15


def _cpf(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    return (start, end) if is_cpf(_digits(text[start:end])) else None


def _cnpj(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Lower-case letters count only with the punctuation: bare, fourteen of them are more often something else."""
    written = text[start:end]
    characters = written.translate(None, _PUNCTUATION)
    if len(characters) == len(written) and characters != characters.upper():
        return None
    return (start, end) if is_cnpj(characters.upper()) else None


def _ssn(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Areas 000, 666 and 900 and above, group 00 and serial 0000 are never given out (SSA, POMS RM 10201.035).

    Without hyphens it could be anything, so a word has to say what it is.
    """
    digits = _digits(text[start:end])
    if digits[:3] in {b"000", b"666"} or digits[0] == ord("9") or digits[3:5] == b"00" or digits[5:] == b"0000":
        return None
    hyphens = text[start:end].count(b"-")
    if hyphens == 2:
        return start, end
    told = hyphens == 0 and _SSN_WORD.search(text, max(0, start - _CONTEXT_BYTES), start)
    return (start, end) if told else None


def _ipv4(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Not the middle of a longer dotted number, such as an object identifier, and not what is called a version."""
    if text[end : end + 1] == b"." and text[end + 1 : end + 2].isdigit():
        return None
    if text[start - 1 : start] == b"." and text[start - 2 : start - 1].isdigit():
        return None
    return None if _VERSION_WORD.search(text[max(0, start - _CONTEXT_BYTES) : start]) else (start, end)


def _ipv6(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """What RFC 4291, section 2.2 lets stand, nothing longer; with a digit, since programs have names like `a::b`.

    Not a slice with a step, such as `rows[2::3]`: nobody is given an address as short as that.
    """
    if end - start > _LONGEST_IPV6_CHARACTERS + 1:
        return None
    written = text[start:end].rstrip(b".")
    if written.endswith(b":") and not written.endswith(b"::"):
        written = written[:-1]
    if not any(48 <= code <= 57 for code in written):
        return None
    if text[start - 1 : start] == b"[" and text[start + len(written) :][:1] == b"]" and _SLICE.fullmatch(written):
        return None
    try:
        ipaddress.IPv6Address(written.decode("ascii"))
    except ValueError:
        return None
    return start, start + len(written)


_OCTET: Final = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

_AT: Final = Re2Pattern(rb"@")
_PLUS: Final = Re2Pattern(rb"\+[ ]?[1-9]")
_COLONS: Final = Re2Pattern(rb"::|(?:[0-9A-Fa-f]{1,4}:){6}")
_CNPJ_LIKE: Final = Re2Pattern(rb"[0-9A-Za-z]{4}[\-./ ]?[0-9]{2}" + EDGE)

PERSONS: Final[tuple[Detector, ...]] = (
    # RFC 5321, section 4.5.3.1 for the lengths, RFC 6531 for letters beyond ASCII.
    rule(
        "email",
        Category.EMAIL,
        _AT,
        rb"(?:[0-9A-Za-z_\xc0-\xff][0-9A-Za-z_.%+\-'\xc0-\xff]{0,62})?[0-9A-Za-z_%+\-\xc0-\xff]@"
        rb"(?:[0-9A-Za-z\xc0-\xff](?:[0-9A-Za-z\-\xc0-\xff]{0,62})\.){1,8}"
        rb"(?:[A-Za-z\xc0-\xff]{2,24}|xn--[0-9A-Za-z\-]{2,59})",
        check=_email,
        edges=(0, 0),
        retry_inside=False,
    ),
    # ITU-T E.164: a plus, a country code, at most fifteen digits; written with the usual separators.
    rule(
        "phone",
        Category.PHONE,
        _PLUS,
        rb"\+[ ]?[1-9][0-9]{0,2}(?:[ .\-]{0,2}\(?[0-9]{1,5}\)?){1,6}(?:[0-9]{0,10})",
        check=_phone,
        edges=(1, 0),
    ),
    rule(
        "cpf",
        Category.CPF,
        MANY_DIGITS,
        rb"(?:(?i:cpf))?[0-9]{3}[. \-]?[0-9]{3}[. \-]?[0-9]{3}[\-./ ]?[0-9]{2}",
        check=_cpf,
    ),
    rule(
        "cnpj",
        Category.CNPJ,
        _CNPJ_LIKE,
        rb"[0-9A-Za-z]{2}[. ]?[0-9A-Za-z]{3}[. ]?[0-9A-Za-z]{3}[/ ]?[0-9A-Za-z]{4}[\-./ ]?[0-9]{2}",
        check=_cnpj,
    ),
    rule("us_ssn", Category.US_SSN, MANY_DIGITS, rb"[0-9]{3}[\- ]?[0-9]{2}[\- ]?[0-9]{4}", check=_ssn),
    rule("ipv4", Category.IPV4, None, rb"(?:" + _OCTET + rb"\.){3}" + _OCTET, check=_ipv4),
    rule(
        "ipv6",
        Category.IPV6,
        _COLONS,
        rb"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,64}",
        check=_ipv6,
        retry_inside=False,
    ),
)
