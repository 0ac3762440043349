"""The configuration as JSON Schema, for editors: completion, units and choices while writing the file.

`python -m tailrace.settings.json_schema` prints it; the committed copy is `config/tailrace.schema.json`.
"""

import json

from tailrace.settings.tree import Settings


def json_schema() -> str:
    """The schema as text, ending in a line end; the same settings give the same bytes."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")  # noqa: T201 - printing it is what the command is for
