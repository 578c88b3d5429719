"""Inputs from transports that carry only texts: MLflow and the Open Inference Protocol."""

from collections.abc import Sequence
from typing import Any

from serving.contract.body import parse_json
from serving.contract.faults import RequestError
from serving.contract.requests import Request, TextRequest


def inputs_of(texts: Sequence[str], request: type[Request]) -> list[Any]:
    """Convert texts to a model's inputs: the texts themselves or, if its inputs are not texts, the JSON in each text.

    Args:
        texts: one text per input.
        request: type of requests to the model.

    Raises:
        RequestError: a text is not valid JSON. The parsed content is checked later, like that of any request.
    """
    if issubclass(request, TextRequest):
        return list(texts)
    return [_document(text, i, request) for i, text in enumerate(texts)]


def _document(text: str, index: int, request: type[Request]) -> object:
    try:
        return parse_json(text)
    except ValueError as error:
        advice = f"this model reads {request.EXPECTED[0]}; send each input as JSON in a text of its own"
        raise RequestError("invalid_json", f"the text is not valid JSON ({error}); {advice}", index) from error
