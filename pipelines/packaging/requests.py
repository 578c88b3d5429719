"""Builds request bodies."""

from typing import Any


def request(inputs: Any, **parameters: object) -> dict[str, Any]:
    """The body for one input or, as a list, for several; see serving.contract.requests."""
    return {"inputs": inputs} | ({"parameters": parameters} if parameters else {})
