"""The same contract over every transport: in process, the handler alone, and live servers with REST, gRPC and Open Inference."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from asking import MakeStore

from benchmarks.load.target import Target
from serving import handlers
from serving.client.client import Client
from serving.client.exchange import ServingError
from serving.predictor import load_predictor
from serving.server.instance import Instance
from serving.server.keys import TorchServeKeys
from serving.server.ports import free_port

Json = Any
Answer = tuple[str, Json]  # the error code, "" for a success, and the body
Ask = Callable[[str, Json], Answer]
OTHER = Path(f"{sys.prefix}-open-inference") / "bin"
SEED = {"seed": 3}

CASES: list[tuple[str, Json, str]] = [
    ("classification", {"inputs": "Rossi"}, ""),
    ("classification", {"inputs": ["Müller", "O'Neill", "a"], "parameters": {"top_k": 2}}, ""),
    ("sentiment", {"inputs": ["a good film", "dull"], "parameters": {"explain": True}}, ""),
    ("generation", {"inputs": ["Ro", ""], "parameters": {**SEED, "num_return_sequences": 2, "temperature": 0.5}}, ""),
    (
        "translation",
        {"inputs": ["un chien", "la porte est fermée"], "parameters": {"num_beams": 3, "num_return_sequences": 2}},
        "",
    ),
    ("translation", {"inputs": "un chien", "parameters": {"attention": True, "length_penalty": 0.5}}, ""),
    ("vectors", {"inputs": ["king", "queen"], "parameters": {"top_k": 2}}, ""),
    ("vectors", {"inputs": "man king woman", "parameters": {"question": "analogy"}}, ""),
    ("classification", {"inputs": "zürich 東京 \u202e\u0007"}, ""),
    ("classification", {}, "missing_inputs"),
    ("classification", [], "invalid_request"),
    ("classification", {"inputs": 3}, "invalid_inputs"),
    ("classification", {"inputs": ["a", 3]}, "invalid_inputs"),
    ("classification", {"inputs": "a", "input": "a"}, "unknown_field"),
    ("classification", {"inputs": ""}, "empty_input"),
    ("classification", {"inputs": ["a", " "]}, "empty_input"),
    ("classification", {"inputs": "a" * 5000}, "input_too_long"),
    ("classification", {"inputs": ["a"] * 65}, "invalid_inputs"),
    ("classification", {"inputs": "a", "parameters": {"top_q": 1}}, "unknown_parameter"),
    ("classification", {"inputs": "a", "parameters": {"top_k": "1"}}, "invalid_parameter"),
    ("classification", {"inputs": "a", "parameters": {"explain": True}}, "invalid_parameter"),
    ("generation", {"inputs": "R", "parameters": {"label": "Klingon"}}, "unknown_label"),
    ("generation", {"inputs": ["R"], "parameters": {"stream": True}}, "invalid_parameter"),
    ("translation", {"inputs": "un " * 5000}, "input_too_long"),
    ("translation", {"inputs": "un", "parameters": {"num_beams": 2, "num_return_sequences": 3}}, "invalid_parameter"),
    ("vectors", {"inputs": "king", "parameters": {"question": "analogy"}}, "wrong_number_of_words"),
]


def answered(body: Json) -> Answer:
    return (body["error"]["code"] if isinstance(body, dict) and "error" in body else ""), body


@pytest.fixture(scope="module")
def predictor(bundles: dict[str, Path]) -> Ask:
    loaded = {kind: load_predictor(folder) for kind, folder in bundles.items()}

    def ask(kind: str, body: Json) -> Answer:
        (reply,) = loaded[kind].answer([json.dumps(body).encode()])
        return answered(json.loads(json.dumps(reply.body)))

    return ask


@pytest.fixture(scope="module")
def handler(make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """The handler as a TorchServe worker loads it, without Java."""
    pytest.importorskip("ts")
    from ts.context import RequestProcessor
    from ts.model_loader import TsModelLoader

    root, services = tmp_path_factory.mktemp("transport"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(handlers.__file__).parent))
        for archive in make_store(root).glob("*.mar"):
            shutil.unpack_archive(archive, root / archive.stem, "zip")
            services[archive.stem] = TsModelLoader().load(archive.stem, str(root / archive.stem), "sequence.py", None, 8, None)

        def ask(kind: str, body: Json) -> Answer:
            context = services[kind].context
            context.request_processor = [RequestProcessor({})]
            (reply,) = services[kind]._entry_point([{"body": bytearray(json.dumps(body).encode())}], context)
            return answered(json.loads(reply))

        yield ask


@pytest.fixture(scope="module")
def rest(proxied: Target) -> Ask:
    return lambda kind, body: answered(proxied.ask(kind, json.dumps(body).encode()).json())


@pytest.fixture(scope="module")
def torchserve(proxied: Target) -> Ask:
    """TorchServe without the proxy."""
    key = TorchServeKeys.read(Instance(proxied.folder).keys).inference
    url = f"http://127.0.0.1:{proxied.state.ports.inference}/predictions"

    def ask(kind: str, body: Json) -> Answer:
        return answered(requests.post(f"{url}/{kind}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30).json())

    return ask


@pytest.fixture(scope="module")
def grpc(proxied: Target) -> Iterator[Ask]:
    key = proxied.headers()["Authorization"].removeprefix("Bearer ")
    with Client(f"grpcs://localhost:{proxied.state.port}", key, certificates=proxied.certificate) as client:

        def ask(kind: str, body: Json) -> Answer:
            try:
                return answered(json.loads(client.send(kind, json.dumps(body).encode())))
            except ServingError as error:
                return error.code, None

        yield ask


@pytest.fixture(scope="module")
def open_inference(make_store: MakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """MLServer, in its own environment."""
    if not OTHER.exists():
        pytest.skip(f"there is no {OTHER}; `make test` creates it")
    folder = tmp_path_factory.mktemp("mlserver")
    store = make_store(folder / "packaged")
    subprocess.run([OTHER / "python", "-m", "serving.handlers.open_inference", store, folder / "models"], check=True)
    ports = [free_port() for _ in range(3)]
    names = ("MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT", "MLSERVER_METRICS_PORT")
    environment = os.environ | dict(zip(names, map(str, ports), strict=True))
    url = f"http://127.0.0.1:{ports[0]}/v2"
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [OTHER / "mlserver", "start", folder / "models"], env=environment, stdout=log, stderr=log, cwd=folder
        )
    try:
        while not _ready(url):
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.2)
        yield lambda kind, body: _infer(url, kind, body)
    finally:
        server.terminate()
        server.wait()


def _infer(url: str, kind: str, body: Json) -> Answer:
    inputs = body["inputs"]
    texts = [inputs] if isinstance(inputs, str) else inputs
    tensor = {"name": "inputs", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    content = {"inputs": [tensor], "parameters": body.get("parameters", {})}
    response = requests.post(f"{url}/models/{kind}/infer", json=content, timeout=30)
    if response.status_code != 200:
        assert response.status_code == 400
        return response.json()["error"].partition(":")[0], None
    found = [json.loads(answer) for answer in response.json()["outputs"][0]["data"]]
    return "", found[0] if isinstance(inputs, str) and kind != "translation" else found


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/ready", timeout=5).status_code == 200
    except requests.RequestException:
        return False


LIVE = [pytest.mark.live, pytest.mark.timeout(240)]
TRANSPORTS = [
    "predictor",
    "handler",
    *(pytest.param(name, marks=LIVE) for name in ("rest", "torchserve", "grpc", "open_inference")),
]


def expressible(body: Json) -> bool:
    """Whether the Open Inference Protocol can express a request: it needs texts and parameters."""
    if not isinstance(body, dict) or not body.keys() <= {"inputs", "parameters"}:
        return False
    inputs = body.get("inputs")
    return isinstance(inputs, str) or (isinstance(inputs, list) and all(isinstance(text, str) for text in inputs))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_contract_holds(transport: str, predictor: Ask, request: pytest.FixtureRequest) -> None:
    ask: Ask = request.getfixturevalue(transport)
    for kind, body, code in CASES:
        if transport == "open_inference" and not expressible(body):
            continue
        found, content = ask(kind, body)
        assert found == code, (kind, body)
        if not code:
            assert _rounded(content) == _rounded(predictor(kind, body)[1]), (kind, body)


def _rounded(body: Json) -> Json:
    """Round scores to four decimals: the last bits of float32 sums depend on the batch's shape."""
    return json.loads(json.dumps(body), parse_float=lambda number: round(float(number), 4))
