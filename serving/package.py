"""What a model archive holds beside the bundle: where the model is from, what it answers, what its training data looked like."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

CONFIG: Final = "model-config.yaml"  # TorchServe's settings of the model, and ours
EXAMPLES: Final = "examples.json"
REFERENCE: Final = "reference.json"
SHA256: Final = ".sha256"  # suffix of the file beside an archive
RUN: Final = "mlflowRun"  # key of CONFIG
DEADLINE: Final = "deadline"  # the same

Share = Annotated[float, Field(ge=0, le=1)]


class Example(BaseModel):
    """A request, what it shows, and the model's own answer: known by who starts a server, shown by its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str
    request: dict[str, Any]
    answer: Any


class Reference(BaseModel):
    """A sample of the training texts as the model saw them; empty where its inputs are not like them.

    Attributes:
        length_edges: the longest text of each bin but the last, in the model's units.
        length_shares: how much of the sample is in each bin.
        label_shares: how much of it the model gives each class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    length_edges: list[int] = []
    length_shares: list[Share] = []
    label_shares: dict[str, Share] = {}


EXAMPLE_LIST: Final = TypeAdapter(list[Example])


def same(expected: Any, actual: Any, tolerance: float = 0.02) -> bool:
    """Whether two answers say the same: numbers nearly, as other processors round otherwise, and everything else exactly."""
    if isinstance(expected, float) and isinstance(actual, int | float):
        return abs(expected - actual) <= tolerance * max(1.0, abs(expected))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same(value, actual[key], tolerance) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(same(a, b, tolerance) for a, b in zip(expected, actual, strict=True))
    return bool(expected == actual)
