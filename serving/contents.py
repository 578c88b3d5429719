"""What a model archive contains beside the bundle: the model's origin, example answers, and statistics of its training data."""

from typing import Annotated, Any, Final

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, TypeAdapter

CONFIG: Final = "model-config.yaml"  # TorchServe's settings for the model, and ours
EXAMPLES: Final = "examples.json"
REFERENCE: Final = "reference.json"
SHA256: Final = ".sha256"  # suffix of the file beside an archive
RUN: Final = "mlflowRun"  # key of CONFIG
DEADLINE: Final = "deadline"  # key of CONFIG

Share = Annotated[float, Field(ge=0, le=1)]


class Example(BaseModel):
    """An example request, its summary, and the model's own answer. Starting a server checks it; the documentation shows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str
    request: dict[str, Any]
    answer: Any


class Spread(BaseModel):
    """Mean and covariance of the vectors of a sample of texts.

    Attributes:
        mean: mean vector, [D].
        covariance: covariance matrix, [D, D].
        count: number of texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: list[float]
    covariance: list[list[float]]
    count: int = Field(ge=2)


class Reference(BaseModel):
    """Statistics of a sample of texts like the training texts, as the model reads them; empty if requests do not resemble them.

    Attributes:
        length_edges: longest text of each bin except the last, in the model's units.
        length_shares: share of the sample in each bin.
        label_shares: share of the sample that the model assigns to each class.
        quality: share of the test data of each class that the model recognized (recall); empty for other kinds.
        ngrams: of `serving.telemetry.vectors.ngram_vector`; None if the sample is too small.
        embedding: of `serving.telemetry.vectors.mean_of_units`; None if the sample is too small, or the model reads characters.
        units: the vectors of the model's words or subwords, reduced to the dimensions of `embedding`, int8 [V, D], row by row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    length_edges: list[int] = []
    length_shares: list[Share] = []
    label_shares: dict[str, Share] = {}
    quality: dict[str, Share] = {}
    ngrams: Spread | None = None
    embedding: Spread | None = None
    units: Base64Bytes = b""


EXAMPLE_LIST: Final = TypeAdapter(list[Example])


def same(expected: Any, actual: Any, tolerance: float = 0.02) -> bool:
    """Whether two answers agree: numbers within the tolerance, as processors round differently, everything else exactly."""
    if isinstance(expected, float) and isinstance(actual, int | float):
        return abs(expected - actual) <= tolerance * max(1.0, abs(expected))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same(value, actual[key], tolerance) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(same(a, b, tolerance) for a, b in zip(expected, actual, strict=True))
    return bool(expected == actual)
