"""Inputs that are not texts, sent as JSON by transports that carry only texts."""

import json
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from serving.client.ask import body_of, read_document
from serving.contract.documents import inputs_of
from serving.contract.faults import RequestError
from serving.endpoints.classification.contract import ClassificationRequest
from serving.endpoints.forecasting.contract import ForecastingRequest
from serving.endpoints.shared import Json, as_sent
from serving.handlers.registered import RegisteredModel
from serving.predictor import Predictor
from serving.server.errors import ControlError

SERIES = {"load": [1.5, 2.0], "dates": ["2022-01-01", "2022-01-02"]}
TEXT = json.dumps(SERIES)


class Counting:
    """A fake forecaster whose answer is the length of the series and the requested horizons."""

    request = ForecastingRequest

    def check(self, _: ForecastingRequest) -> None:
        """Accept everything."""

    def group(self, _: ForecastingRequest) -> None:
        """Put all requests in one group."""

    def answer(self, requests: Sequence[ForecastingRequest], *_: object) -> list[Json]:
        """Answer each series."""
        return [
            as_sent(r, [{"times": len(one["load"]), "horizons": r.parameters.horizons} for one in r.each_input]) for r in requests
        ]

    def measure(self, _: ForecastingRequest, __: Json) -> Iterator[Any]:
        """Count nothing."""
        return iter(())


PREDICTOR = Predictor(Counting())
WRONG = [
    (
        ["hello"],
        "invalid_json: the text is not valid JSON (Expecting value, line 1 column 1); this model reads an object of columns",
    ),
    ([""], "invalid_json: the text is not valid JSON"),
    (['{"load": [NaN]}'], "invalid_json: the text is not valid JSON (NaN is not allowed)"),
    (['{"load": [1], "load": [2]}'], 'invalid_json: the text is not valid JSON (duplicate key "load")'),
    (["[" * 100_000], "invalid_json: the text is not valid JSON (nested too deeply)"),
    ([TEXT, "3"], 'invalid_inputs: "inputs" must be an object of columns'),
]


def test_texts_stay_texts_and_series_are_read_from_json() -> None:
    assert inputs_of(["Rossi", "{"], ClassificationRequest) == ["Rossi", "{"]
    assert inputs_of([TEXT, TEXT], ForecastingRequest) == [SERIES, SERIES]


def test_the_faulty_text_is_named() -> None:
    with pytest.raises(RequestError) as caught:
        inputs_of([TEXT, "{"], ForecastingRequest)
    assert (caught.value.detail.code, caught.value.detail.input) == ("invalid_json", 1)


@pytest.fixture
def registered() -> RegisteredModel:
    model = RegisteredModel()
    model._predictor = PREDICTOR
    return model


def test_mlflows_model_answers_series(registered: RegisteredModel) -> None:
    assert registered.predict(None, [TEXT]) == [{"times": 2, "horizons": None}]
    asked = registered.predict(None, [TEXT, TEXT], {"parameters": '{"horizons": [6]}'})
    assert asked == [{"times": 2, "horizons": [6]}] * 2


@pytest.mark.parametrize(("texts", "message"), WRONG)
def test_mlflows_model_reports_errors(registered: RegisteredModel, texts: list[str], message: str) -> None:
    with pytest.raises(MlflowException) as caught:
        registered.predict(None, texts)
    assert str(caught.value).startswith(message)


class FaultError(Exception):
    """Stands in for MLServerError."""


@pytest.fixture
def open_inference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The MLServer model with MLServer's modules faked, as MLServer is installed in another environment."""
    codec = SimpleNamespace(decode_input=lambda tensor: tensor.data, encode_output=lambda name, data: (name, data))
    fakes: dict[str, dict[str, Any]] = {
        "mlserver": {"MLModel": object},
        "mlserver.codecs": {"StringCodec": codec},
        "mlserver.errors": {"MLServerError": FaultError},
        "mlserver.types": {"InferenceRequest": object, "InferenceResponse": SimpleNamespace},
        "mlserver.utils": {"get_model_uri": None},
    }
    for name, content in fakes.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "serving.handlers.open_inference", raising=False)
    model = import_module("serving.handlers.open_inference").OpenInferenceModel()
    monkeypatch.delitem(sys.modules, "serving.handlers.open_inference")
    model._predictor, model.name, model.version = PREDICTOR, "demand", "1"
    return model


def asked(model: Any, texts: list[str], **parameters: object) -> Any:
    tensor = SimpleNamespace(name="inputs", datatype="BYTES", data=texts)
    given = SimpleNamespace(model_dump=lambda **_: parameters)
    coroutine = model.predict(SimpleNamespace(inputs=[tensor], parameters=given))
    with pytest.raises(StopIteration) as done:  # the coroutine never awaits
        coroutine.send(None)
    return done.value.value


def test_the_open_inference_protocol_carries_series(open_inference: Any) -> None:
    ((name, answers),) = asked(open_inference, [TEXT, TEXT], horizons=[1]).outputs
    assert name == "answers"
    assert [json.loads(answer) for answer in answers] == [{"times": 2, "horizons": [1]}] * 2


@pytest.mark.parametrize(("texts", "message"), WRONG)
def test_the_open_inference_protocol_reports_errors(open_inference: Any, texts: list[str], message: str) -> None:
    with pytest.raises(FaultError) as caught:
        asked(open_inference, texts)
    assert str(caught.value.args[0]).startswith(message)
    assert caught.value.args[1] == 400


@pytest.mark.parametrize(
    ("document", "parameters", "body"),
    [
        (TEXT, [], {"inputs": SERIES}),
        (f"[{TEXT}, {TEXT}]", ["horizons=[6]"], {"inputs": [SERIES, SERIES], "parameters": {"horizons": [6]}}),
        (json.dumps({"inputs": SERIES}), [], {"inputs": SERIES}),
        (
            json.dumps({"inputs": SERIES, "parameters": {"horizons": [1], "quantiles": [0.5]}}),
            ["horizons=[6]"],
            {"inputs": SERIES, "parameters": {"horizons": [6], "quantiles": [0.5]}},
        ),
        ('{"inputs": [1.0], "other": [2.0]}', [], {"inputs": {"inputs": [1.0], "other": [2.0]}}),
    ],
)
def test_a_command_line_document_is_inputs_or_a_request(document: str, parameters: list[str], body: Json) -> None:
    assert json.loads(body_of([], parameters, document)) == body


@pytest.mark.parametrize(
    ("texts", "document", "message"),
    [
        (["a"], TEXT, "give either texts or --json FILE"),
        ([], "", "give either texts or --json FILE"),
        ([], "{", "the content of --json is not valid JSON"),
        ([], '{"inputs": "a", "parameters": 3}', 'the "parameters" in the content of --json are not an object'),
    ],
)
def test_an_invalid_document_is_reported(texts: list[str], document: str, message: str) -> None:
    with pytest.raises(ControlError, match=message):
        body_of(texts, ["top_k=3"], document)


def test_a_document_is_read_from_a_file_or_the_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "series.json"
    path.write_text(f"\ufeff{TEXT}", encoding="utf-8")
    assert read_document(path) == TEXT
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(read=lambda: TEXT))
    assert read_document(Path("-")) == TEXT
    path.write_text(" \n")
    with pytest.raises(ControlError, match="is empty; --json takes inputs"):
        read_document(path)
    with pytest.raises(ControlError, match="cannot be read"):
        read_document(tmp_path / "nothing.json")
