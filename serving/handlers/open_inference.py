"""The same models by the Open Inference Protocol v2, which KServe and Triton speak, on MLServer instead of TorchServe.

`python -m serving.handlers.open_inference STORE FOLDER` unpacks a store's archives; `mlserver start FOLDER` serves them. A
request has one BYTES tensor, `inputs`, of texts, and the contract's parameters as its own; the answer one BYTES tensor,
`answers`, of JSON values, one for each text.
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
SETTINGS = {  # one process is all there is, as for a worker of TorchServe
    "host": "127.0.0.1",
    "parallel_workers": 0,
    "load_models_at_startup": True,
}


class OpenInferenceModel(MLModel):  # type: ignore[misc]
    """A bundle behind MLServer."""

    async def load(self) -> bool:
        """Load the bundle that the model's settings name."""
        self._predictor = load_predictor(Path(await get_model_uri(self.settings)))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer as the contract says.

        Raises:
            MLServerError: the request is wrong (400), or the model failed (500); its message begins with the code.
        """
        (reply,) = self._predictor.answer([_body(payload)])
        if reply.status != HTTPStatus.OK:
            detail = reply.body["error"]
            where = f" (input {detail['input']})" if "input" in detail else ""
            raise MLServerError(f"{detail['code']}: {detail['message']}{where}", int(reply.status))
        answers = [json.dumps(answer, ensure_ascii=False) for answer in reply.body]
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[StringCodec.encode_output(ANSWERS, answers)]
        )


def _body(payload: InferenceRequest) -> dict[str, Any]:
    """The request in the contract's form: always with a list of texts, so that there is an answer for each."""
    found = {tensor.name: tensor for tensor in payload.inputs}
    if found.keys() != {INPUTS} or found[INPUTS].datatype != "BYTES":
        raise MLServerError(f'missing_inputs: send one BYTES tensor, "{INPUTS}", of texts', HTTPStatus.BAD_REQUEST)
    try:
        texts = StringCodec.decode_input(found[INPUTS])
    except UnicodeDecodeError as error:
        raise MLServerError(f"not_utf8: a text is not UTF-8 (byte {error.start})", HTTPStatus.BAD_REQUEST) from error
    given = payload.parameters.model_dump(exclude_unset=True) if payload.parameters else {}
    parameters = {name: value for name, value in given.items() if name not in THEIRS}
    return {"inputs": texts} | ({"parameters": parameters} if parameters else {})


def unpack(store: Path, folder: Path) -> None:
    """Lay out a store's models as MLServer wants them, each archive compared with its recorded sha256 first.

    MLSERVER_HTTP_PORT, MLSERVER_GRPC_PORT and MLSERVER_METRICS_PORT in its environment choose other ports than these.

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
