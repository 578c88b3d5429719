"""Settings of training on a Ray cluster."""

import re
from typing import Literal

from pydantic import field_validator

from pipelines.settings.section import Positive, Section


class Cluster(Section):
    """Resources of one training on the cluster at RAY_ADDRESS. No stage depends on them: they only affect the training time."""

    workers: Positive
    cpus_per_worker: Positive
    gpus_per_worker: Literal[0, 1]
    storage: str

    @field_validator("storage")
    @classmethod
    def _means_the_same_on_all_nodes(cls, storage: str) -> str:
        if not re.match("/|s3://[^/]", storage):
            raise ValueError("must be the absolute path of a folder, or s3://bucket/prefix")
        return storage

    def needs(self, *, on_gpu: bool) -> dict[str, float]:
        """Resources of one worker, by Ray's resource names; without a GPU unless `on_gpu`."""
        amounts = {"CPU": self.cpus_per_worker, "GPU": self.gpus_per_worker if on_gpu else 0}
        return {kind: float(amount) for kind, amount in amounts.items() if amount}
