"""What comes back from the cluster. It imports nothing large, see `pipelines.training.remote`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What a job ends with.

    Args:
        weights: as safetensors.
        history: a row for each epoch, as JSON.
        fault: what the user can mend, and no further attempt can; empty if there are weights.
    """

    weights: bytes = b""
    history: str = "[]"
    fault: str = ""
