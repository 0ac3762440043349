"""Writer schemas that could have been: the event schema after random changes, each under the name of what it does.

A schema is held flat, every named type apart from where it is used, so that a change meets each use of a type; put
together again, a definition stands where its name comes first.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from tests.unit.codec.written import schema_json

Tree = Any
NAMED = ("record", "enum", "fixed")


class FlatSchema:
    """One schema as named types; `root` is the outermost."""

    def __init__(self, schema: Tree) -> None:
        self.types: dict[str, dict[str, Any]] = {}
        self.namespace: str = schema["namespace"]
        self.root: str = self._flat(deepcopy(schema))

    def _flat(self, tree: Tree) -> Tree:
        match tree:
            case str():
                return tree
            case list():
                return [self._flat(one) for one in tree]
            case {"type": str() as sort, "name": name} if sort in NAMED:
                self.types[name] = {key: value for key, value in tree.items() if key not in {"namespace", "doc"}}
                for field in tree.get("fields", []):
                    field["type"] = self._flat(field["type"])
                return name
            case {"items": inside}:
                return {**tree, "items": self._flat(inside)}
            case {"values": inside}:
                return {**tree, "values": self._flat(inside)}
            case _:
                return tree

    def whole(self) -> Tree:
        return {**self._placed(self.root, set()), "namespace": self.namespace}

    def _placed(self, tree: Tree, placed: set[str]) -> Tree:
        match tree:
            case str() if tree in self.types and tree not in placed:
                placed.add(tree)
                named = deepcopy(self.types[tree])
                for field in named.get("fields", []):
                    field["type"] = self._placed(field["type"], placed)
                return named
            case list():
                return [self._placed(one, placed) for one in tree]
            case {"items": inside}:
                return {**tree, "items": self._placed(inside, placed)}
            case {"values": inside}:
                return {**tree, "values": self._placed(inside, placed)}
            case _:
                return tree

    def records(self) -> list[dict[str, Any]]:
        return [one for one in self.types.values() if one["type"] == "record" and one["fields"]]

    def enums(self) -> list[dict[str, Any]]:
        return [one for one in self.types.values() if one["type"] == "enum"]

    def fields(self) -> list[dict[str, Any]]:
        return [field for record in self.records() for field in record["fields"]]


Change = Callable[[Random, FlatSchema], bool]
"""Changes the schema in one place, or says that there is no such place."""


def _pick(chance: Random, schema: FlatSchema, fits: Callable[[Any], bool]) -> dict[str, Any] | None:
    fields = [field for field in schema.fields() if fits(field["type"])]
    return chance.choice(fields) if fields else None


def _retype(fits: Callable[[Any], bool], change: Callable[[Random, Any], Any]) -> Change:
    def apply(chance: Random, schema: FlatSchema) -> bool:
        field = _pick(chance, schema, fits)
        if field is None:
            return False
        field["type"] = change(chance, field["type"])
        field.pop("default", None)
        return True

    return apply


def drop_field(chance: Random, schema: FlatSchema) -> bool:
    record = chance.choice(schema.records())
    optional = [field for field in record["fields"] if "default" in field]
    if not optional:
        return False
    record["fields"].remove(chance.choice(optional))
    return True


def drop_many(chance: Random, schema: FlatSchema) -> bool:
    """An old producer: half of what has a default is not there yet."""
    root = schema.types[schema.root]
    root["fields"] = [one for one in root["fields"] if "default" not in one or chance.random() < 0.5]
    return True


def drop_required(chance: Random, schema: FlatSchema) -> bool:
    required = [field for field in schema.types[schema.root]["fields"] if "default" not in field]
    schema.types[schema.root]["fields"].remove(chance.choice(required))
    return True


def add_field(chance: Random, schema: FlatSchema) -> bool:
    record = chance.choice([schema.types[schema.root], chance.choice(schema.records())])
    type_ = _any_type(chance, schema, 0)
    name = (
        chance.choice(("fresh", "p", "v", "class", "None", "TEXT", "planned", "size"))
        + f"_{chance.randrange(1_000_000)}"
    )
    record["fields"].insert(chance.randrange(len(record["fields"]) + 1), {"name": name, "type": type_})
    return True


def _any_type(chance: Random, schema: FlatSchema, depth: int) -> Tree:
    plain = ["boolean", "int", "long", "float", "double", "bytes", "string"]
    number = len(schema.types)
    match chance.choice((*plain, "record", "enum", "fixed", "array", "map", "union") if depth < 3 else plain):
        case "record":
            fields = [
                {"name": f"f{i}", "type": _any_type(chance, schema, depth + 1)} for i in range(chance.choice((1, 2, 3)))
            ]
            name = f"Fresh{number}_{depth}_{chance.randrange(1_000_000)}"
            schema.types[name] = {"type": "record", "name": name, "fields": fields}
            return name
        case "enum":
            name = f"Fresh{number}_{depth}_{chance.randrange(1_000_000)}"
            symbols = [f"s{i}" for i in range(chance.choice((1, 5, 70)))]
            schema.types[name] = {"type": "enum", "name": name, "symbols": symbols}
            return name
        case "fixed":
            name = f"Fresh{number}_{depth}_{chance.randrange(1_000_000)}"
            schema.types[name] = {"type": "fixed", "name": name, "size": chance.choice((1, 3, 16))}
            return name
        case "array":
            return {"type": "array", "items": _any_type(chance, schema, depth + 1)}
        case "map":
            return {"type": "map", "values": _any_type(chance, schema, depth + 1)}
        case "union":
            branches = chance.sample([*plain, "null"], chance.choice((2, 3)))
            return [*branches, {"type": "array", "items": "string"}] if chance.random() < 0.3 else branches
        case primitive:
            return primitive


def shuffle_fields(chance: Random, schema: FlatSchema) -> bool:
    chance.shuffle(chance.choice([schema.types[schema.root], chance.choice(schema.records())])["fields"])
    return True


def move_field(chance: Random, schema: FlatSchema) -> bool:
    fields = schema.types[schema.root]["fields"]
    fields.insert(chance.randrange(len(fields)), fields.pop(chance.randrange(len(fields))))
    return True


def shuffle_symbols(chance: Random, schema: FlatSchema) -> bool:
    chance.shuffle(chance.choice(schema.enums())["symbols"])
    return True


def more_symbols(chance: Random, schema: FlatSchema) -> bool:
    symbols = chance.choice(schema.enums())["symbols"]
    symbols.insert(chance.randrange(len(symbols) + 1), f"novel{len(symbols)}_{chance.randrange(1_000_000)}")
    return True


def fewer_symbols(chance: Random, schema: FlatSchema) -> bool:
    enum = chance.choice(schema.enums())
    if len(enum["symbols"]) > 1:
        enum["symbols"].remove(chance.choice(enum["symbols"]))
        enum.pop("default", None)
    return True


def very_many_symbols(chance: Random, schema: FlatSchema) -> bool:
    """More than indexes of one byte can name."""
    enum = chance.choice(schema.enums())
    if len(enum["symbols"]) < 70:
        enum["symbols"] += [f"extra{i}" for i in range(70)]
    return True


def other_namespace(_chance: Random, schema: FlatSchema) -> bool:
    schema.namespace = "elsewhere"
    return True


def renamed_to_alias(chance: Random, schema: FlatSchema) -> bool:
    """The writer still uses a name that the reader knows as an alias."""
    aliased = [one for one in (*schema.fields(), *schema.types.values()) if one.get("aliases")]
    fields = [one for one in aliased if one["name"] not in schema.types]
    if not fields:
        return False
    field = chance.choice(fields)
    field["name"] = field.pop("aliases")[0]
    return True


def _is_optional(tree: Any) -> bool:
    return isinstance(tree, list) and "null" in tree


def _logical(tree: Any) -> bool:
    return isinstance(tree, dict) and "logicalType" in tree


CHANGES: dict[str, Change] = {
    "a field dropped": drop_field,
    "many fields dropped": drop_many,
    "a required field dropped": drop_required,
    "a field added": add_field,
    "fields shuffled": shuffle_fields,
    "a field moved": move_field,
    "symbols shuffled": shuffle_symbols,
    "a symbol added": more_symbols,
    "a symbol dropped": fewer_symbols,
    "very many symbols": very_many_symbols,
    "another namespace": other_namespace,
    "an alias": renamed_to_alias,
    "a union turned": _retype(lambda tree: isinstance(tree, list), lambda chance, tree: chance.sample(tree, len(tree))),
    "a union widened": _retype(_is_optional, lambda chance, tree: _inserted(chance, tree, "boolean")),
    "no longer optional": _retype(_is_optional, lambda chance, tree: next(one for one in tree if one != "null")),
    "now optional": _retype(
        lambda tree: not isinstance(tree, list), lambda chance, tree: chance.sample(["null", tree], 2)
    ),
    "int for long": _retype(
        lambda tree: tree in ("long", ["null", "long"]) or _logical(tree),
        lambda _, tree: ["null", "int"] if isinstance(tree, list) else "int",
    ),
    "no logical type": _retype(_logical, lambda *_: "long"),
    "text as bytes": _retype(lambda tree: tree == "string", lambda *_: "bytes"),
    "optional text as bytes": _retype(lambda tree: tree == ["null", "string"], lambda *_: ["null", "bytes"]),
    "bytes as text": _retype(lambda tree: tree == "bytes", lambda *_: "string"),
    "a smaller number for a double": _retype(
        lambda tree: tree == "double", lambda chance, _: chance.choice(("int", "long", "float"))
    ),
    "long for float": _retype(lambda tree: tree == "float", lambda *_: "long"),
    "an incompatible type": _retype(lambda tree: tree == "string", lambda *_: "double"),
}


def _inserted(chance: Random, branches: list[Any], branch: Any) -> list[Any]:
    at = chance.randrange(len(branches) + 1)
    return branches if branch in branches else [*branches[:at], branch, *branches[at:]]


def evolved(chance: Random, schema: Tree, first: str, more: int) -> tuple[Tree, set[str]]:
    """The schema after the change `first` and up to so many others, and the names of those that were made."""
    flat = FlatSchema(schema)
    made = set()
    for name in (first, *chance.choices(list(CHANGES), k=more)):
        if CHANGES[name](chance, flat):
            made.add(name)
    return flat.whole(), made


def future_schemas(directory: Path) -> None:
    """The three shipped schemas as a later version might have them: every Avro type, also where records copy it."""
    event, record = schema_json("agent_event"), schema_json("telemetry_record")
    for schema in (event, record):
        by_name = {field["name"]: field for field in schema["fields"]}
        by_name["run_id"]["aliases"] = ["run"]
        by_name["tool_name"]["aliases"] = ["tool"]
        by_name["cost"]["aliases"] = ["price"]
        next(one for one in by_name["cost"]["type"][1]["fields"] if one["name"] == "status")["aliases"] = ["standing"]
    event["fields"][30:30] = _future_fields()
    names = [field["name"] for field in record["fields"]]
    at = names.index("content_capture")
    record["fields"][at:at] = _future_fields()[::-1]
    for name, schema in (
        ("agent_event", event),
        ("telemetry_record", record),
        ("health_record", schema_json("health_record")),
    ):
        (directory / f"{name}.avsc").write_text(json.dumps(schema), encoding="utf-8")


def _future_fields() -> list[dict[str, Any]]:
    choice = {
        "type": "record",
        "name": "Choice",
        "fields": [
            {"name": "flag", "type": "boolean"},
            {"name": "picture", "type": "bytes", "default": ""},
            {"name": "numbers", "type": {"type": "map", "values": "float"}, "default": {}},
        ],
    }
    return [
        {"name": "labels", "type": {"type": "map", "values": "string"}, "default": {}},
        {"name": "ratio", "type": ["null", "double"], "default": None},
        {"name": "score", "type": "double", "default": 0},
        {"name": "share", "type": "float", "default": 0},
        {"name": "digest", "type": {"type": "fixed", "name": "Digest", "size": 4}, "default": "abcd"},
        {"name": "weights", "type": {"type": "array", "items": {"type": "array", "items": "int"}}, "default": []},
        {"name": "choice", "type": ["null", "long", "string", choice], "default": None},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["a", "b", "c"]}, "default": "a"},
        {"name": "remark", "type": ["string", "null"], "default": ""},
        {"name": "blob", "type": "bytes", "default": ""},
        {"name": "counters", "type": {"type": "array", "items": "long"}, "default": []},
    ]
