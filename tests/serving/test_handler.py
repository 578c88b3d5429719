"""The handler, loaded as a TorchServe worker loads it, but without Java."""

import json
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from asking import MakeStore
from prometheus_client import REGISTRY
from prometheus_client.samples import Sample
from waiting import until

from serving import handlers
from serving.predictor import load_predictor
from serving.records import FILE, Keeping, Recorded, Records
from serving.telemetry.metrics import SECONDS_TO_ANSWER

pytest.importorskip("ts")
from ts.context import RequestProcessor
from ts.model_loader import TsModelLoader

HANDLER = Path(handlers.__file__).with_name("sequence.py")
Row = dict[str, object]
Answers = list[tuple[int, Any]]
Ask = Callable[..., Answers]


@pytest.fixture(scope="module")
def unpacked(make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind -> folder of an unpacked model archive, as a worker finds it."""
    root = tmp_path_factory.mktemp("handler")
    archives = list(make_store(root).glob("*.mar"))
    for archive in archives:
        shutil.unpack_archive(archive, root / archive.stem, "zip")
    return {archive.stem: root / archive.stem for archive in archives}


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The model of a folder as a function from rows to (status, body) pairs."""
    monkeypatch.syspath_prepend(str(HANDLER.parent))
    service = TsModelLoader().load(folder.name, str(folder), HANDLER.name, None, 8, None)

    def ask(rows: Sequence[Row], headers: Mapping[str, str] = MappingProxyType({})) -> Answers:
        processors = [RequestProcessor(dict(headers)) for _ in rows]
        service.context.request_processor = processors
        bodies = service._entry_point(rows, service.context)
        assert len(bodies) == len(rows)
        assert {p.get_response_header("content-type") for p in processors} == {"application/json"}
        assert {p.get_response_header("X-MLflow-Run-Id") for p in processors} == {"0123abcd"}
        assert all(p.get_response_header("X-Model-Version").startswith("1-") for p in processors)
        return [(service.context.get_response_status(i)[0], json.loads(body)) for i, body in enumerate(bodies)]

    return ask


@pytest.fixture
def ask(unpacked: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Ask:
    return load(unpacked["classification"], monkeypatch)


@pytest.mark.parametrize("kind", ["classification", "sentiment", "generation", "translation", "vectors"])
def test_every_kind_answers_as_its_predictor_does(kind: str, unpacked: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"inputs": ["ab", "abc"]} | ({"parameters": {"seed": 3}} if kind == "generation" else {})
    ((status, body),) = load(unpacked[kind], monkeypatch)([{"body": request}])
    (expected,) = load_predictor(unpacked[kind]).answer([request])
    assert (status, body) == (200, json.loads(json.dumps(expected.body)))


def test_each_row_of_a_ragged_batch_gets_its_own_answer(ask: Ask) -> None:
    rows: list[Row] = [{"body": {"inputs": inputs}} for inputs in ("a", ["ab"], ["a", "abc", "b"])]
    for row, (status, body) in zip(rows, ask(rows), strict=True):
        ((alone_status, alone),) = ask([row])
        assert status == alone_status == 200
        assert _rounded(body) == _rounded(alone)


def test_a_bad_row_does_not_affect_its_neighbours(ask: Ask) -> None:
    good: Row = {"body": {"inputs": "ab"}}
    bad: list[Row] = [
        {},  # what TorchServe makes of a URL-encoded form
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


def test_a_form_field_is_read_if_there_is_no_body(ask: Ask) -> None:
    content = bytearray(b'{"inputs": "ab"}')
    assert ask([{"data": content}]) == ask([{"body": content}])


def test_an_empty_field_is_not_treated_as_missing(ask: Ask) -> None:
    ((status, _),) = ask([{"data": bytearray(), "body": {"inputs": "ab"}}])
    assert 400 <= status < 500


def test_a_lone_surrogate_does_not_fail_the_batch(ask: Ask) -> None:
    answers = ask([{"body": {"inputs": "\ud800"}}, {"body": {"inputs": "ab", "\ud800": 1}}, {"body": {"inputs": "ab"}}])
    assert [status == 200 for status, _ in answers] == [False, False, True]


@pytest.mark.parametrize(("deadline", "status"), [("1e-9", 504), ("60", 200), ("soon", 200), ("-1", 200), ("nan", 200)])
def test_a_request_may_shorten_its_deadline(deadline: str, status: int, ask: Ask) -> None:
    assert ask([{"body": {"inputs": "ab"}}], {"x-deadline": deadline})[0][0] == status


def test_time_in_the_queue_counts_toward_the_deadline(ask: Ask) -> None:
    long_ago = {"X-Request-Start": str(time.time() - 25)}
    ((status, body),) = ask([{"body": {"inputs": "ab"}}], long_ago)
    assert (status, body["error"]["code"]) == (504, "deadline_exceeded")
    assert ask([{"body": {"inputs": "ab"}}], {"X-Request-Start": str(time.time())})[0][0] == 200


def answered() -> dict[str, float]:
    """The samples of the latency histogram over all models, by the ends of their names."""
    totals = defaultdict[str, float](float)
    for sample in (sample for family in SECONDS_TO_ANSWER.collect() for sample in family.samples):
        totals[sample.name.removeprefix("seqline_request_seconds_") + sample.labels.get("le", "")] += sample.value
    return totals


def test_the_time_from_arrival_to_answer_is_recorded_for_each_row(ask: Ask) -> None:
    before, rows = answered(), [{"body": {"inputs": "ab"}}, {"body": 3.0}]
    ask(rows, {"X-Request-Start": str(time.time() - 2)})
    after = answered()
    assert after["count"] - before["count"] == 2
    assert 4 <= after["sum"] - before["sum"] < 20
    assert after["bucket1.0"] == before["bucket1.0"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Request-Start": "soon"}, {"X-Request-Start": "1", "X-Probe": "1"}, {"x-request-start": "1", "x-probe": "1"}],
)
def test_probes_and_requests_without_an_arrival_are_not_recorded(ask: Ask, headers: dict[str, str]) -> None:
    before = answered()
    ask([{"body": {"inputs": "ab"}}], headers)
    assert answered() == before


def test_a_copy_of_a_request_counts_in_no_metric(ask: Ask) -> None:
    def counted() -> list[Sample]:
        return [sample for metric in REGISTRY.collect() if metric.name.startswith("seqline_") for sample in metric.samples]

    before = counted()
    assert before
    ask([{"body": {"inputs": "ab"}}] * 2, {"X-Request-Start": "1", "X-Probe": "1", "X-Deadline": "60"})
    assert counted() == before


def test_an_arrival_in_the_future_counts_as_now(ask: Ask) -> None:
    before = answered()
    assert ask([{"body": {"inputs": "ab"}}], {"X-Request-Start": str(time.time() + 60)})[0][0] == 200
    after = answered()
    assert after["count"] - before["count"] == 1
    assert after["sum"] == before["sum"]


def test_a_damaged_bundle_does_not_load(unpacked: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(unpacked["classification"], tmp_path / "model")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(Exception, match=r"tokenizer\.json"):
        load(folder, monkeypatch)


IDENTITY = "0123456789abcdef" * 2
NOW = {"X-Request-Start": "9999999999"}  # the future counts as now
ARRIVED = NOW | {"X-Request-Id": IDENTITY}


def written(path: Path, identity: str = IDENTITY) -> list[Recorded]:
    """The records of a request, once a thread has written them."""
    return until(lambda: path.exists() and Records(path).of(identity), "records to be written")


def test_each_answered_input_is_recorded(unpacked: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "records.sqlite", inputs=True)
    for name, value in keeping.environment.items():
        monkeypatch.setenv(name, value)
    ask = load(unpacked["classification"], monkeypatch)
    ((_, body),) = ask([{"body": bytearray(b'{"inputs": ["ab", "abc"]}')}], ARRIVED)
    found = written(keeping.file)
    assert [(row.place, row.answer, row.input, row.shadow) for row in found] == [
        (place, labels[0]["label"], text, 0) for place, (labels, text) in enumerate(zip(body, ("ab", "abc"), strict=True))
    ]
    assert {(row.model, row.version[:2]) for row in found} == {("classification", "1-")}


def test_a_copy_of_a_request_is_recorded_as_one(
    unpacked: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(FILE, str(tmp_path / "records.sqlite"))
    load(unpacked["classification"], monkeypatch)([{"body": {"inputs": "ab"}}], ARRIVED | {"X-Probe": "1"})
    assert [row.shadow for row in written(tmp_path / "records.sqlite")] == [1]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"inputs": "ab"}, NOW),
        ({"inputs": "ab"}, {"X-Request-Id": IDENTITY}),
        ({"inputs": "ab"}, {"X-Probe": "1"}),
        ({"inputs": 3}, ARRIVED),
        ({"inputs": "ab"}, ARRIVED | {"X-Deadline": "1e-9"}),
    ],
)
def test_errors_and_requests_without_an_id_or_an_arrival_are_not_in_the_file(
    body: Row, headers: dict[str, str], unpacked: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "records.sqlite"
    monkeypatch.setenv(FILE, str(path))
    ask, other = load(unpacked["classification"], monkeypatch), "f" * 32
    ask([{"body": body}], headers)
    ask([{"body": {"inputs": "ab"}}], ARRIVED | {"X-Request-Id": other})
    assert written(path, other)
    assert Records(path).of(IDENTITY) == []
    assert Records(path).beginning_with("") == [other]


def _rounded(body: Any) -> Any:
    """Round scores to four decimals: the last bits of float32 sums depend on the batch's shape."""
    return json.loads(json.dumps(body), parse_float=lambda number: round(float(number), 4))
