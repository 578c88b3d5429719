"""Settings of training on a Ray cluster."""

import re
from typing import Literal

from pydantic import field_validator

from pipelines.settings.section import Positive, Section


class Cluster(Section):
    """What one training takes of the cluster at RAY_ADDRESS. No stage depends on it: it changes how long a training takes."""

    workers: Positive
    cpus_per_worker: Positive
    gpus_per_worker: Literal[0, 1]
    storage: str

    @field_validator("storage")
    @classmethod
    def _means_the_same_on_all_nodes(cls, storage: str) -> str:
        if not re.match("/|s3://[^/]", storage):
            raise ValueError("has to be a folder's absolute path, or s3://bucket/prefix")
        return storage

    def needs(self) -> dict[str, float]:
        """What a worker takes of its node, in Ray's terms."""
        amounts = {"CPU": self.cpus_per_worker, "GPU": self.gpus_per_worker}
        return {kind: float(amount) for kind, amount in amounts.items() if amount}
