"""The arithmetic by which registries tell a number from any other digits. All functions take ASCII, any length."""

import binascii
from typing import Final

_CPF_DIGITS: Final = 11
_CNPJ_CHARACTERS: Final = 14


def passes_luhn(digits: bytes) -> bool:
    """ISO/IEC 7812-1 annex B: every second digit from the right doubled, all digits then added, a multiple of 10."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def is_cpf(digits: bytes) -> bool:
    """Eleven digits, the last two computed modulo 11 from those before them (Receita Federal); not all the same.

    Eleven equal digits satisfy the arithmetic and are issued to nobody.
    """
    if len(digits) != _CPF_DIGITS or len(set(digits)) == 1:
        return False
    return all(_modulo_11(digits[:length], longest_weight=11) == digits[length] - 48 for length in (9, 10))


def is_cnpj(characters: bytes) -> bool:
    """Twelve digits or capital letters and two check digits modulo 11; not all the same.

    A character counts as its ASCII code less 48, so the rule for letters (Instrução Normativa RFB 2.229/2024, in force
    since July 2026) contains the older one for digits.
    """
    if len(characters) != _CNPJ_CHARACTERS or len(set(characters)) == 1:
        return False
    return all(_modulo_11(characters[:length], longest_weight=9) == characters[length] - 48 for length in (12, 13))


def _modulo_11(characters: bytes, *, longest_weight: int) -> int:
    """Weights 2, 3, … from the right, beginning anew after `longest_weight`; remainders 0 and 1 give 0."""
    cycle = longest_weight - 1
    total = sum((code - 48) * (2 + place % cycle) for place, code in enumerate(reversed(characters)))
    rest = total % 11
    return 0 if rest < 2 else 11 - rest


def passes_mod_97(characters: bytes) -> bool:
    """ISO 13616: the first four characters moved to the end, letters as 10 to 35, remainder 1 on division by 97."""
    remainder = 0
    for code in characters[4:] + characters[:4]:
        remainder = (remainder * 10 + code - 48 if code < 58 else remainder * 100 + code - 55) % 97
    return remainder == 1


def crc_16(octets: bytes) -> int:
    """CRC-16 with polynomial 0x1021 and start 0xFFFF, which closes an EMV merchant code (EMVCo MPM, field 63)."""
    return binascii.crc_hqx(octets, 0xFFFF)
