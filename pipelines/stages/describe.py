"""Stage `describe`: write the API description of the packaged models. `python -m pipelines.stages.describe NAME`.

It writes serving/NAME.json, an OpenAPI document, next to the code of the server, which uses the same types.
"""

import json
from pathlib import Path

from pipelines.paths import STORE
from pipelines.stage import run_stage
from serving.server.archive import Archive
from serving.server.openapi import document

INDENT = "  "


def written(value: object, margin: str = "") -> str:
    """JSON with one line per member, but lists of numbers or texts on a single line: a series has thousands of values."""
    inner = margin + INDENT
    if isinstance(value, dict) and value:
        members = [f"{inner}{json.dumps(key)}: {written(member, inner)}" for key, member in value.items()]
        return "{\n" + ",\n".join(members) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(member, (dict, list)) for member in value):
        return "[\n" + ",\n".join(inner + written(member, inner) for member in value) + f"\n{margin}]"
    return json.dumps(value, ensure_ascii=False)


def main(name: str) -> None:
    """Write the document of every model in the store, by name."""
    described = document([Archive.read(path) for path in sorted(STORE.glob("*.mar"))])
    Path("serving", f"{name}.json").write_text(written(described) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
