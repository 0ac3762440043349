"""The scalar types settings are made of, each with the bound that Kafka or the design puts on it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WrapSerializer,
)
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """One frozen mapping of the configuration: a key it does not know is an error, and no value changes after load."""

    # The input stays out of error texts, so that a password under the wrong key is not printed by an uncaught error.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def unusable(wrong: str, remedy: str) -> PydanticCustomError:
    """An error a validator raises: what is wrong with the value, and how to mend it, each without a full stop."""
    return PydanticCustomError("tailrace", "{wrong}. {remedy}", {"wrong": wrong, "remedy": remedy})


def no_boolean(value: object) -> object:
    """For a number's type, before anything else is looked at."""
    # YAML reads `yes` and `on` as booleans, and Python counts with them: `records: on` would be a batch of one.
    if isinstance(value, bool):
        raise unusable("is a truth value, not a number", "Write a number")
    return value


def _freeze(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


def _thaw(value: Mapping[str, Any], handler: SerializerFunctionWrapHandler) -> Any:
    return handler(dict(value))


# As a dictionary's type: the mapping cannot be changed after load either.
FROZEN = (AfterValidator(_freeze), WrapSerializer(_thaw))

_NUMBER = BeforeValidator(no_boolean)
PositiveCount = Annotated[int, _NUMBER, Field(gt=0)]
Count = Annotated[int, _NUMBER, Field(ge=0)]
WholeNumber = Annotated[int, _NUMBER]
PositiveSeconds = Annotated[float, _NUMBER, Field(gt=0, allow_inf_nan=False)]

# Kafka's own limit on topic names. Groups have none, but a group that needs more is a mistake, and `<group>.<sink id>`
# has to stay readable in Kafka's tools.
TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
GroupName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,190}$")]

# No dot: with one, sink `b.c` of group `a` and sink `c` of group `a.b` would share the cursor group `a.b.c`.
SINK_ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SinkId = Annotated[str, StringConstraints(pattern=SINK_ID_PATTERN)]

# Lower case, because the variables that can name one have no case.
ChosenName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


StartAt = Literal["earliest", "latest"]
