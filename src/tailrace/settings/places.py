"""Finding one's way in the settings tree by key path, without a configuration at hand.

The environment needs it to tell a list from a text and a typo from a key; error messages need it to say which keys
there are. Every kind of sink is on offer at once, because which one a sink is may be written elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _alternatives(one)
    else:
        yield annotation


def _is_free_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


@dataclass(frozen=True, slots=True)
class Place:
    """One spot in the tree: everything that may stand there."""

    alternatives: tuple[Any, ...]

    @classmethod
    def of(cls, *annotations: Any) -> "Place":
        return cls(tuple(dict.fromkeys(one for annotation in annotations for one in _alternatives(annotation))))

    def _sections(self) -> Iterator[type[BaseModel]]:
        for one in self.alternatives:
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield one

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that may be written here; empty for a value and where the user chooses the keys."""
        return tuple(dict.fromkeys(name for section in self._sections() for name in section.model_fields))

    @property
    def takes_any_key(self) -> bool:
        """Whether the user chooses the keys here, as the ids of sinks."""
        return any(_is_free_mapping(one) for one in self.alternatives)

    @property
    def is_list(self) -> bool:
        return any(get_origin(one) in (tuple, list) for one in self.alternatives)

    @property
    def is_mapping(self) -> bool:
        return self.takes_any_key or bool(self.keys)

    @property
    def may_be_null(self) -> bool:
        return NoneType in self.alternatives

    def below(self, key: str) -> "Place | None":
        """What may stand under `key`; None if nothing can."""
        found = [section.model_fields[key].annotation for section in self._sections() if key in section.model_fields]
        found += [get_args(one)[1] for one in self.alternatives if _is_free_mapping(one)]
        return Place.of(*found) if found else None
