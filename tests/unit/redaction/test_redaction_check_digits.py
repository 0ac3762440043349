"""Check digits against the worked examples of their specifications, and against every single wrong digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.redaction.check_digits import crc_16, is_cnpj, is_cpf, passes_luhn, passes_mod_97
from tests.corpus import formats
from tests.unit.redaction.unhurried import UNHURRIED

DIGITS_OF_9 = st.text("0123456789", min_size=9, max_size=9)
CNPJ_BODY = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12)


def test_worked_examples() -> None:
    """ISO/IEC 7812-1; Receita Federal's 12ABC34501DE-35; ISO 13616-1; the check value of CRC-16/IBM-3740."""
    assert passes_luhn(b"79927398713")
    assert is_cpf(b"11144477735")
    assert is_cnpj(b"11222333000181")
    assert is_cnpj(b"12ABC34501DE35")
    assert passes_mod_97(b"GB82WEST12345698765432")
    assert crc_16(b"123456789") == 0x29B1


@UNHURRIED
@given(DIGITS_OF_9)
def test_a_cpf_agrees_with_the_specification_and_with_nothing_else(nine: str) -> None:
    """One pair of check digits is right, and only that."""
    right = formats.cpf_digits(nine)
    accepted = {f"{pair:02d}" for pair in range(100) if is_cpf((nine + f"{pair:02d}").encode())}
    assert accepted == (set() if len(set(nine + right)) == 1 else {right})


@UNHURRIED
@given(CNPJ_BODY)
def test_a_cnpj_agrees_with_the_specification_and_with_nothing_else(body: str) -> None:
    """Letters included."""
    right = formats.cnpj_digits(body)
    accepted = {f"{pair:02d}" for pair in range(100) if is_cnpj((body + f"{pair:02d}").encode())}
    assert accepted == (set() if len(set(body + right)) == 1 else {right})


@UNHURRIED
@given(st.text("0123456789", min_size=1, max_size=24))
def test_luhn_accepts_one_last_digit(body: str) -> None:
    """And that one is the specification's."""
    assert [last for last in range(10) if passes_luhn(f"{body}{last}".encode())] == [int(formats.luhn_digit(body))]


@pytest.mark.parametrize("digits", [b"", b"1114447773", b"111444777350", b"00000000000"])
def test_what_is_no_cpf(digits: bytes) -> None:
    """Wrong lengths, and equal digits although they satisfy the arithmetic."""
    assert not is_cpf(digits)


@pytest.mark.parametrize("characters", [b"", b"1122233300018", b"112223330001811", b"00000000000000"])
def test_what_is_no_cnpj(characters: bytes) -> None:
    """Wrong lengths, and equal digits although they satisfy the arithmetic."""
    assert not is_cnpj(characters)
