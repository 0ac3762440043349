"""What stands in place of identifiers that must not leave as they are."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from tailrace.domain.identifiers import LEAST_KEY_BYTES, REF_KINDS, IdentifierPolicy, RefTreatment, is_identifier
from tailrace.settings.values import FROZEN, Section, unusable


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value().encode("utf-8", "surrogatepass")) < LEAST_KEY_BYTES:
        raise unusable(
            "is too short for a key",
            f"Write a random secret of {LEAST_KEY_BYTES} bytes or more, such as 'openssl rand -hex 32' prints",
        )
    return key


def _ref_kind(kind: str) -> str:
    if kind not in REF_KINDS:
        raise unusable(
            "is not a kind of reference",
            "Write subject., source. or policy. and the kind, such as subject.tool_call or source.user",
        )
    return kind


def _alias(alias: str) -> str:
    if not alias or not is_identifier(alias.encode("utf-8", "surrogatepass")):
        raise unusable("is not an identifier", "Use ASCII letters, digits and . _ : / -, at most 200")
    return alias


RefKind = Annotated[str, AfterValidator(_ref_kind)]
Alias = Annotated[str, AfterValidator(_alias)]


class IdentifierSettings(Section):
    """Which identifiers leave as they are; the grammar itself is fixed."""

    key: Annotated[
        Annotated[SecretStr, AfterValidator(_long_enough)] | None,
        Field(
            description="Secret for hashes of ids outside the grammar, the same for all workers; without, one constant."
        ),
    ] = None
    refs: Annotated[
        Mapping[RefKind, Literal["keep", "hash", "alias"]],
        *FROZEN,
        Field(
            description="Treatment of ids by kind of reference, such as source.user.",
            default_factory=lambda: MappingProxyType({}),
        ),
    ]
    aliases: Annotated[
        Mapping[RefKind, Annotated[Mapping[str, Alias], *FROZEN]],
        *FROZEN,
        Field(
            description="For kinds treated as alias: your own names by id; others are hashed.",
            default_factory=lambda: MappingProxyType({}),
        ),
    ]

    @property
    def policy(self) -> IdentifierPolicy:
        """The same as a value of the domain."""
        return IdentifierPolicy(
            key=None if self.key is None else self.key.get_secret_value().encode("utf-8", "surrogatepass"),
            refs={kind: RefTreatment(treatment) for kind, treatment in self.refs.items()},
            aliases=self.aliases,
        )
