"""The OpenAPI document agrees with the types, and the committed one is up to date."""

import json
from pathlib import Path
from typing import Any

import pytest
from asking import MakeStore

from pipelines.settings.params import load_params
from serving.contents import Example
from serving.contract.requests import parse_request
from serving.endpoints.kinds import contract
from serving.server import openapi
from serving.server.archive import Archive, find_archives

COMMITTED = Path(openapi.__file__).parents[1] / "openapi.json"


def read(name: str, operation: dict[str, Any]) -> Archive:
    """Reconstruct the archive that an operation was generated from, as far as the document allows."""
    asked = operation["requestBody"]["content"]["application/json"]
    answered = operation["responses"]["200"]["content"]["application/json"]["examples"]
    kind = asked["schema"]["$ref"].rpartition("/")[2].removesuffix("_request")
    examples = [
        Example(summary=example["summary"], request=example["value"], answer=answered[key]["value"])
        for key, example in asked["examples"].items()
    ]
    return Archive(Path(f"{name}.mar"), name, name, kind, "", 1, 1, examples)


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def archives(committed: dict[str, Any]) -> list[Archive]:
    return [
        read(path.rpartition("/")[2], item["post"])
        for path, item in committed["paths"].items()
        if path.startswith("/predictions/")
    ]


def test_the_committed_document_is_up_to_date(committed: dict[str, Any], archives: list[Archive]) -> None:
    assert committed == openapi.document(archives), "regenerate it with `dvc repro describe`"


def test_its_examples_are_valid_requests_and_answers(archives: list[Archive]) -> None:
    assert {archive.name for archive in archives} == {*load_params().served}
    for archive in archives:
        for example in archive.examples:
            parse_request(contract(archive.kind).REQUEST, example.request)
            contract(archive.kind).ANSWER.validate_json(json.dumps(example.answer))


def test_deleting_has_the_errors_that_it_returns(committed: dict[str, Any]) -> None:
    """415 is for a body with an encoding, which any request may have."""
    assert {*committed["paths"]["/feedback/{id}"]["delete"]["responses"]} == {"200", "401", "404", "415", "429", "503"}


def test_every_reference_resolves(make_store: MakeStore, tmp_path: Path) -> None:
    document = openapi.document(find_archives(make_store(tmp_path)))

    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*map(references, node.values()))
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
