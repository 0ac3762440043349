"""What passes as an identifier, and what stands in place of what does not."""

import hashlib
import hmac

import pytest

from tailrace.domain.errors import InvalidField
from tailrace.domain.identifiers import (
    DEFAULT_REFS,
    REF_KINDS,
    IdentifierKind,
    IdentifierPolicy,
    RefSide,
    RefTreatment,
    is_identifier,
)

KEY = b"a key of sixteen"


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ("7c9e6679-7425-40de-944b-e07fc1f90ae7", True),
        ("org/model-1:free", True),
        ("a_b.c", True),
        ("x" * 200, True),
        ("x" * 201, False),
        ("a b", False),
        ("a\n", False),
        ("someone@example.com", False),
        ("a=b", False),
        ("é", False),
        ("\uff41", False),
        ("\u0661", False),
        ("\x00", False),
    ],
)
def test_the_grammar(text: str, passes: bool) -> None:
    """ASCII letters, digits and five signs, at most 200; nothing passes because it looks like them."""
    assert is_identifier(text.encode()) is passes
    assert (IdentifierPolicy(KEY).identifier(IdentifierKind.RUN, text) == text) is passes


def test_the_hash_is_the_documented_one() -> None:
    """So that whoever has the key can find a run by its id."""
    digest = hmac.new(KEY, b"tailrace.identifier.v1\0run\0a b", hashlib.sha256).hexdigest()
    assert IdentifierPolicy(KEY).identifier(IdentifierKind.RUN, "a b") == f"hashed:{digest[:32]}"


def test_keys_and_kinds_are_apart() -> None:
    """One text under two keys, or in two roles, is two texts; without a key all foreign texts are one."""
    texts = {IdentifierPolicy(key).identifier(kind, "a b") for key in (KEY, b"b" * 16) for kind in IdentifierKind}
    assert len(texts) == 2 * len(IdentifierKind)
    assert {IdentifierPolicy().identifier(kind, text) for kind in IdentifierKind for text in ("a b", "ü")} == {
        "replaced"
    }


def test_a_replacement_is_itself_an_identifier() -> None:
    assert is_identifier(IdentifierPolicy(KEY).encoded("run", b"a b"))
    assert is_identifier(IdentifierPolicy().encoded("run", b"a b"))


def test_a_subject_that_is_the_run_has_the_hash_of_the_run_id() -> None:
    policy = IdentifierPolicy(KEY)
    assert policy.ref(RefSide.SUBJECT, "run", b"a b") == policy.encoded(IdentifierKind.RUN, b"a b")
    assert policy.cost_record(b"telemetry.cost.a b") == b"telemetry.cost." + policy.encoded("event", b"a b")


@pytest.mark.parametrize("ref_kind", sorted(REF_KINDS))
def test_what_becomes_of_each_kind_of_reference(ref_kind: str) -> None:
    """By default, and with each word an operator may set."""
    side, _, kind = ref_kind.partition(".")

    def shown(text: bytes, *rules: RefTreatment, alias: str = "") -> bytes:
        aliases = {ref_kind: {text.decode(): alias}} if alias else {}
        return IdentifierPolicy(KEY, dict.fromkeys((ref_kind,), *rules) if rules else {}, aliases).ref(
            RefSide(side), kind, text
        )

    default = DEFAULT_REFS[ref_kind]
    assert (shown(b"plain") == b"plain") is (default is not RefTreatment.HASH)
    assert (shown(b"some/path") == b"some/path") is (default is RefTreatment.KEEP)
    assert shown(b"a b").startswith(b"hashed:")
    assert shown(b"") == b""
    assert shown(b"some/path", RefTreatment.KEEP) == b"some/path"
    assert shown(b"a b", RefTreatment.KEEP).startswith(b"hashed:")
    assert shown(b"plain", RefTreatment.HASH).startswith(b"hashed:")
    assert shown(b"plain", RefTreatment.ALIAS).startswith(b"hashed:")
    assert shown(b"a b", RefTreatment.ALIAS, alias="first") == b"first"


def test_accounts_handles_paths_and_what_nobody_knows_are_hashed() -> None:
    """The kinds a reviewer asks about first."""
    hashed = {kind for kind, treatment in DEFAULT_REFS.items() if treatment is RefTreatment.HASH}
    assert hashed >= {"source.user", "source.remote_channel", "subject.artifact", "subject.unknown"}
    assert IdentifierPolicy().treatment("subject.telepathy") is RefTreatment.HASH


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"key": b"short"}, "key"),
        ({"refs": {"run": RefTreatment.KEEP}}, "refs"),
        ({"aliases": {"source.user": {"a": "b c"}}}, "aliases"),
        ({"aliases": {"source.user": {"a": ""}}}, "aliases"),
    ],
)
def test_a_policy_that_cannot_hold_is_refused(policy: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        IdentifierPolicy(**policy)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_no_policy_shows_its_secrets() -> None:
    shown = repr(IdentifierPolicy(KEY, aliases={"source.user": {"alice": "first"}}))
    assert "sixteen" not in shown
    assert "alice" not in shown
