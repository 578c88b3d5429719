"""Stage `describe`: the packaged models' interface, for people and machines. `python -m pipelines.describe NAME`.

The file is serving/NAME.json, an OpenAPI document. It lies beside the code of the server, which answers by the same types.
"""

from pathlib import Path

from pipelines.paths import STORE
from pipelines.stage import run_stage, write_json
from serving.openapi import document
from serving.server.archive import Archive


def main(name: str) -> None:
    """Write the document of every model in the store, by name."""
    write_json(Path("serving") / f"{name}.json", document([Archive.read(path) for path in sorted(STORE.glob("*.mar"))]))


if __name__ == "__main__":
    run_stage(main)
