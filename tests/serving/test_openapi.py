"""The interface's document: it says what the types say, and what is committed is what the code says today."""

import json
from pathlib import Path
from typing import Any

import pytest
from asking import MakeStore

from serving import openapi
from serving.answers import ANSWERS
from serving.bundle import Kind
from serving.contract import REQUESTS, parse_request
from serving.package import Example
from serving.server.archive import Archive, find_archives

COMMITTED = Path(openapi.__file__).with_name("openapi.json")


def read(name: str, operation: dict[str, Any]) -> Archive:
    """The archive that an operation was made from, as far as the document tells."""
    asked = operation["requestBody"]["content"]["application/json"]
    answered = operation["responses"]["200"]["content"]["application/json"]["examples"]
    kind: Kind = asked["schema"]["$ref"].rpartition("/")[2].removesuffix("_request")
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
    return [read(path.rpartition("/")[2], item["post"]) for path, item in committed["paths"].items()]


def test_the_committed_document_is_what_the_types_say(committed: dict[str, Any], archives: list[Archive]) -> None:
    assert committed == openapi.document(archives), "`dvc repro describe` writes it anew"


def test_its_examples_are_requests_and_answers(archives: list[Archive]) -> None:
    assert {archive.name for archive in archives} == {"surname", "names", "fr-en", "sentiment", "vectors"}
    for archive in archives:
        for example in archive.examples:
            parse_request(REQUESTS[archive.kind], example.request)
            ANSWERS[archive.kind].validate_json(json.dumps(example.answer))


def test_every_reference_leads_somewhere(make_store: MakeStore, tmp_path: Path) -> None:
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
