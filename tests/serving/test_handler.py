"""The handler, loaded as a TorchServe worker loads it, but without Java."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from serving import handlers
from serving.predictor import load_predictor

pytest.importorskip("ts")
from ts.context import RequestProcessor
from ts.model_loader import TsModelLoader

HANDLER = Path(handlers.__file__).with_name("sequence.py")
Row = dict[str, object]
Answers = list[tuple[int, Any]]
Ask = Callable[[Sequence[Row]], Answers]


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The model of a folder as a function from rows to (status, body) pairs."""
    monkeypatch.syspath_prepend(str(HANDLER.parent))
    service = TsModelLoader().load("model", str(folder), HANDLER.name, None, 8, None)

    def ask(rows: Sequence[Row]) -> Answers:
        service.context.request_processor = [RequestProcessor({}) for _ in rows]
        bodies = service._entry_point(rows, service.context)
        assert len(bodies) == len(rows)
        assert {p.get_response_header("content-type") for p in service.context.request_processor} == {"application/json"}
        return [(service.context.get_response_status(i)[0], json.loads(body)) for i, body in enumerate(bodies)]

    return ask


@pytest.fixture
def ask(bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Ask:
    return load(bundles["classification"], monkeypatch)


@pytest.mark.parametrize("kind", ["classification", "sentiment", "generation", "translation", "vectors"])
def test_every_kind_answers_as_its_predictor_does(kind: str, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"inputs": ["ab", "abc"]} | ({"parameters": {"seed": 3}} if kind == "generation" else {})
    ((status, body),) = load(bundles[kind], monkeypatch)([{"body": request}])
    (expected,) = load_predictor(bundles[kind]).answer([request])
    assert (status, body) == (200, json.loads(json.dumps(expected.body)))


def test_each_row_of_a_ragged_batch_gets_its_own_answer(ask: Ask) -> None:
    rows: list[Row] = [{"body": {"inputs": inputs}} for inputs in ("a", ["ab"], ["a", "abc", "b"])]
    for row, (status, body) in zip(rows, ask(rows), strict=True):
        ((alone_status, alone),) = ask([row])
        assert status == alone_status == 200
        assert _rounded(body) == _rounded(alone)


def test_a_bad_row_leaves_its_neighbours_alone(ask: Ask) -> None:
    good: Row = {"body": {"inputs": "ab"}}
    bad: list[Row] = [
        {},  # what is left of a url-encoded form
        {"body": None},
        {"body": bytearray()},
        {"body": bytearray(b'{"inputs": ')},
        {"body": bytearray(b"\xff")},
        {"body": {"inputs": float("nan")}},
        {"body": {"inputs": "ab", "parameters": {"top_q": 1}}},
        {"body": [1, 2]},
        {"body": 3.0},
    ]
    answers = ask([good, *bad, good])
    assert [status for status, _ in answers] == [200, *(answers[i + 1][0] for i in range(len(bad))), 200]
    for row, (status, body) in zip(bad, answers[1:-1], strict=True):
        assert 400 <= status < 500, row
        assert body["error"]["message"], row


def test_a_form_field_counts_where_there_is_no_body(ask: Ask) -> None:
    content = bytearray(b'{"inputs": "ab"}')
    assert ask([{"data": content}]) == ask([{"body": content}])


def test_an_empty_field_is_not_taken_for_a_missing_one(ask: Ask) -> None:
    ((status, _),) = ask([{"data": bytearray(), "body": {"inputs": "ab"}}])
    assert 400 <= status < 500


def test_a_lone_surrogate_does_not_fail_the_batch(ask: Ask) -> None:
    answers = ask([{"body": {"inputs": "\ud800"}}, {"body": {"inputs": "ab", "\ud800": 1}}, {"body": {"inputs": "ab"}}])
    assert [status == 200 for status, _ in answers] == [False, False, True]


def test_a_damaged_bundle_does_not_load(bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(bundles["classification"], tmp_path / "model")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(Exception, match=r"tokenizer\.json"):
        load(folder, monkeypatch)


def _rounded(body: Any) -> Any:
    """Scores to four decimals: float32 sums depend on the shape of the batch in their last bits."""
    return json.loads(json.dumps(body), parse_float=lambda number: round(float(number), 4))
