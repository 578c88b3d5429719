"""The result of a job on the cluster. This module imports nothing large, see `pipelines.training.remote`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Result of a job.

    Attributes:
        weights: weights as safetensors.
        history: a row per epoch, as JSON.
        fault: an error that the user can fix and a retry cannot; empty if there are weights.
    """

    weights: bytes = b""
    history: str = "[]"
    fault: str = ""
