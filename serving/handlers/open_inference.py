"""Serving by the Open Inference Protocol v2, which KServe and Triton also use, on MLServer instead of TorchServe.

`python -m serving.handlers.open_inference STORE FOLDER` unpacks a store's archives; `mlserver start FOLDER` serves them. A
request has one BYTES tensor of texts, `inputs`, and the contract's parameters as its own. The answer has one BYTES tensor of
JSON values, `answers`, one for each text. For models whose inputs are not texts, each text is an input as JSON.
"""

import json
import shutil
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.errors import MLServerError
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri

from serving.predictor import load_predictor
from serving.server.archive import find_archives, take

IMPLEMENTATION = "serving.handlers.open_inference.OpenInferenceModel"
INPUTS, ANSWERS = "inputs", "answers"
THEIRS = {"content_type", "headers"}  # parameters of the protocol, not of the contract
SETTINGS = {  # a single process, like a TorchServe worker
    "host": "127.0.0.1",
    "parallel_workers": 0,
    "load_models_at_startup": True,
}


class OpenInferenceModel(MLModel):  # type: ignore[misc]
    """A bundle served by MLServer."""

    async def load(self) -> bool:
        """Load the bundle that the model's settings name."""
        self._predictor = load_predictor(Path(await get_model_uri(self.settings)))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a request according to the contract.

        Raises:
            MLServerError: the request is wrong (400) or the model failed (500); the message begins with the error code.
        """
        reply = self._predictor.answer_texts(_texts(payload), _parameters(payload))
        if reply.status != HTTPStatus.OK:
            detail = reply.body["error"]
            where = f" (input {detail['input']})" if "input" in detail else ""
            raise MLServerError(f"{detail['code']}: {detail['message']}{where}", int(reply.status))
        answers = [json.dumps(answer, ensure_ascii=False) for answer in reply.body]
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[StringCodec.encode_output(ANSWERS, answers)]
        )


def _texts(payload: InferenceRequest) -> list[str]:
    found = {tensor.name: tensor for tensor in payload.inputs}
    if found.keys() != {INPUTS} or found[INPUTS].datatype != "BYTES":
        raise MLServerError(f'missing_inputs: send one BYTES tensor, "{INPUTS}", of texts', HTTPStatus.BAD_REQUEST)
    try:
        texts: list[str] = StringCodec.decode_input(found[INPUTS])
    except UnicodeDecodeError as error:
        raise MLServerError(f"not_utf8: a text is not UTF-8 (byte {error.start})", HTTPStatus.BAD_REQUEST) from error
    return texts


def _parameters(payload: InferenceRequest) -> dict[str, Any]:
    given = payload.parameters.model_dump(exclude_unset=True) if payload.parameters else {}
    return {name: value for name, value in given.items() if name not in THEIRS}


def unpack(store: Path, folder: Path) -> None:
    """Unpack a store's models into MLServer's layout, after checking each archive's sha256.

    The environment variables MLSERVER_HTTP_PORT, MLSERVER_GRPC_PORT and MLSERVER_METRICS_PORT override MLServer's ports.

    Raises:
        ControlError: there is no archive, or one was changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for found in find_archives(store):
        archive = take(found.path, folder)
        shutil.rmtree(folder / archive.name, ignore_errors=True)  # of another version
        shutil.unpack_archive(archive.path, folder / archive.name, "zip")
        archive.path.unlink()
        model = {
            "name": archive.name,
            "implementation": IMPLEMENTATION,
            "parameters": {"uri": ".", "version": archive.version},
        }
        (folder / archive.name / "model-settings.json").write_text(json.dumps(model, indent=1), encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps(SETTINGS, indent=1), encoding="utf-8")


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
