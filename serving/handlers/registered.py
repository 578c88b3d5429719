"""A bundle as an MLflow model for `mlflow.pyfunc.load_model` and `mlflow models serve`: texts in, the contract's answers out.

For models whose inputs are not texts, each text is an input as JSON.

MLflow stores this file as the model's code, with copies of the packages that it imports, and runs it when the model is loaded.
"""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel

from serving.predictor import load_predictor

BUNDLE, PARAMETERS = "bundle", "parameters"  # names of the artifact and of the param with the contract's parameters as JSON


class RegisteredModel(PythonModel):
    """Answers a list of inputs with a list of answers."""

    def load_context(self, context: Any) -> None:
        """Verify and load the bundle."""
        self._predictor = load_predictor(Path(context.artifacts[BUNDLE]))

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> list[Any]:  # noqa: ARG002 - MLflow's
        """Answer a request according to the contract.

        Args:
            context: unused, as the model is already loaded.
            model_input: texts, as a list or in the first column of a table; if the model's inputs are not texts, each as JSON.
            params: the contract's parameters, as JSON in `parameters`.

        Raises:
            MlflowException: the request is wrong or the model failed; the message begins with the error code.
        """
        texts = model_input.iloc[:, 0] if hasattr(model_input, "iloc") else model_input
        parameters = json.loads((params or {}).get(PARAMETERS) or "{}")
        reply = self._predictor.answer_texts(list(texts), parameters)
        if reply.status != HTTPStatus.OK:
            detail = reply.body["error"]
            raise MlflowException.invalid_parameter_value(f"{detail['code']}: {detail['message']}")
        answers: list[Any] = reply.body
        return answers


mlflow.models.set_model(RegisteredModel())
