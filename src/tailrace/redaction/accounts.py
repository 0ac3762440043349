"""Where money is: payment cards, bank accounts, and keys of Brazil's instant payments."""

import re
from typing import Final

from tailrace.redaction.categories import Category
from tailrace.redaction.check_digits import crc_16, passes_luhn, passes_mod_97
from tailrace.redaction.linear import Re2Pattern
from tailrace.redaction.rule import MANY_DIGITS, Detector, rule

# First digits of the networks' issuer ranges (ISO/IEC 7812), as ranges of the first four, with the lengths they issue.
_NETWORKS: Final = (
    (range(4000, 5000), {13, 16, 18, 19}),  # Visa
    (range(5100, 5600), {16}),  # Mastercard
    (range(2221, 2721), {16}),  # Mastercard, from 2017
    (range(3400, 3500), {15}),  # American Express
    (range(3700, 3800), {15}),
    (range(3000, 3060), {14, 16, 17, 18, 19}),  # Diners Club
    (range(3095, 3096), {14, 16, 17, 18, 19}),
    (range(3600, 3700), {14, 15, 16, 17, 18, 19}),
    (range(3800, 4000), {14, 16, 17, 18, 19}),
    (range(3528, 3590), {16, 17, 18, 19}),  # JCB
    (range(6011, 6012), {16, 17, 18, 19}),  # Discover
    (range(6440, 6600), {16, 17, 18, 19}),
    (range(6200, 6300), {16, 17, 18, 19}),  # UnionPay
    (range(5018, 5021), {13, 14, 15, 16, 17, 18, 19}),  # Maestro
    (range(5038, 5039), {13, 14, 15, 16, 17, 18, 19}),
    (range(5893, 5894), {13, 14, 15, 16, 17, 18, 19}),
    (range(6304, 6305), {13, 14, 15, 16, 17, 18, 19}),
    (range(6759, 6764), {13, 14, 15, 16, 17, 18, 19}),
    # Elo and Hipercard, which only Brazil has
    (range(4011, 4012), {16}),
    (range(5041, 5042), {16}),
    (range(5066, 5068), {16}),
    (range(5090, 5091), {16}),
    (range(6277, 6278), {16}),
    (range(6362, 6364), {16}),
    (range(6504, 6506), {16}),
    (range(6516, 6517), {16}),
    (range(6550, 6551), {16}),
    (range(6062, 6063), {13, 16, 19}),
)
_SHORTEST_CARD_DIGITS: Final = 13

# Length of an IBAN by country: the SWIFT IBAN registry.
_IBAN_COUNTRIES: Final = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BH BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
_IBAN_CHARACTERS: Final = {
    country.encode(): length for length, countries in _IBAN_COUNTRIES.items() for country in countries.split()
}
_PIX_WORD: Final = re.compile(rb"(?i)\bpix|chave aleat|\bevp\b")
# Account information comes first, amounts, names and references after it; each field has at most 99 characters.
_PIX_NAME_WITHIN_BYTES: Final = 128
_LONGEST_PIX_CODE_BYTES: Final = 1024
# "6304" may also stand in a name or a reference.
_MOST_CLOSINGS: Final = 8
_CONTEXT_BYTES: Final = 48


def _card(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """The longest run of whole digit groups from the start that an issuer could have given out and that passes Luhn.

    A verification code or an expiry date after the number may have been proposed along with it.
    """
    ends = [place + 1 for place in range(start, end) if place + 1 == end or not text[place + 1 : place + 2].isdigit()]
    for stop in reversed(ends):
        digits = bytes(code for code in text[start:stop] if 48 <= code <= 57)
        if len(digits) < _SHORTEST_CARD_DIGITS:
            return None
        if text[stop - 1 : stop].isdigit() and _could_be_issued(digits) and passes_luhn(digits):
            return start, stop
    return None


def _could_be_issued(digits: bytes) -> bool:
    first = int(digits[:4])
    return any(first in issuer and len(digits) in lengths for issuer, lengths in _NETWORKS)


def _iban(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """As many letters and digits as the country's have, single blanks or hyphens between, and the right remainder."""
    length = _IBAN_CHARACTERS.get(text[start : start + 2].upper())
    if length is None:
        return None
    characters = bytearray()
    place = start
    while len(characters) < length:
        code = text[place : place + 1]
        if code.isalnum():
            characters += code
        elif code not in {b" ", b"-"} or not text[place + 1 : place + 2].isalnum():
            return None
        place += 1
    if text[place : place + 1].isalnum():
        return None
    return (start, place) if place <= end and passes_mod_97(bytes(characters).upper()) else None


def _pix_uuid(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """A random key is a UUID like any other; a word before it has to say that it is one."""
    return (start, end) if _PIX_WORD.search(text, max(0, start - _CONTEXT_BYTES), start) else None


def _pix_code(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    """A whole merchant code: field 63 closes it with a remainder (EMVCo MPM; Manual de Padrões do Pix)."""
    code = text[start : start + _LONGEST_PIX_CODE_BYTES]
    if b"br.gov.bcb.pix" not in code[:_PIX_NAME_WITHIN_BYTES].lower():
        return None
    closing = end - start
    for _ in range(_MOST_CLOSINGS):
        closing = code.find(b"6304", closing) + 4
        remainder = code[closing : closing + 4]
        if closing < 4 or len(remainder) < 4:
            return None
        if remainder.upper() == b"%04X" % crc_16(code[:closing]):
            return start, start + closing + 4
    return None


_PIX_BEGINNING: Final = Re2Pattern(rb"000201")
_PIX_WORDS: Final = Re2Pattern(rb"(?i)pix|chave aleat|evp")

ACCOUNTS: Final[tuple[Detector, ...]] = (
    rule(
        "card",
        Category.CARD,
        MANY_DIGITS,
        rb"[2-6][0-9]{3}[ .\-]{0,2}[0-9]{4}[ .\-]{0,2}[0-9]{4}[ .\-]{0,2}[0-9]{1,4}(?:[ .\-]{0,2}[0-9]{1,3})?"
        rb"|3[0-9]{3}[ .\-]{0,2}[0-9]{6}[ .\-]{0,2}[0-9]{4,5}",
        check=_card,
    ),
    rule(
        "iban",
        Category.IBAN,
        None,
        rb"[A-Za-z]{2}[0-9]{2}(?:[ \-]?[0-9A-Za-z]){11,30}",
        check=_iban,
        edges=(1, 0),
    ),
    rule(
        "pix_uuid",
        Category.PIX_KEY,
        _PIX_WORDS,
        rb"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
        check=_pix_uuid,
    ),
    rule(
        "pix_code",
        Category.PIX_KEY,
        _PIX_BEGINNING,
        rb"000201",
        check=_pix_code,
        edges=(1, 0),
        retry_inside=False,
    ),
)
