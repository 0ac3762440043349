"""A state machine's table and the picture beside it, read so that a test can hold them together."""

import inspect
import re
from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from types import ModuleType
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)
Signal = TypeVar("Signal", bound=StrEnum)

Edge = tuple[State, Signal, State]


def edges(table: Mapping[State, Mapping[Signal, State]]) -> set[Edge[State, Signal]]:
    return {(before, signal, after) for before, row in table.items() for signal, after in row.items()}


def legend(module: ModuleType, states: type[State], signals: type[Signal]) -> dict[str, set[Edge[State, Signal]]]:
    """The lines `letter  states -> state: signals` under the picture in the module's docstring."""
    found: dict[str, set[Edge[State, Signal]]] = {}
    pattern = r"^ *([a-z])  ([a-z_, ]+) -> ([a-z_]+): ([a-z_, ]+)$"
    for letter, before, after, named in re.findall(pattern, inspect.getdoc(module) or "", re.MULTILINE):
        assert letter not in found
        found[letter] = {
            (states(state), signals(signal), states(after))
            for state, signal in product(before.split(", "), named.split(", "))
        }
    return found


def assert_picture_and_table_agree(
    module: ModuleType, table: Mapping[State, Mapping[Signal, State]], states: type[State], signals: type[Signal]
) -> None:
    """The legend under the picture is exactly the table's changes; each letter and state stands in the picture."""
    lettered = legend(module, states, signals)
    drawn = set().union(*lettered.values())
    assert drawn == {edge for edge in edges(table) if edge[0] is not edge[2]}
    assert sum(len(some) for some in lettered.values()) == len(drawn)
    picture = (inspect.getdoc(module) or "").split("\n    a  ")[0]
    in_picture = re.findall(r"(?<![a-z_])([a-z])(?![a-z_])", picture.split("\n", 1)[1])
    assert {letter for letter in in_picture if letter != "v"} == set(lettered)  # v is an arrow's head
    assert all(state.value in picture for state in states)
