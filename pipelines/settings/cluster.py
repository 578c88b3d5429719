"""Settings of training on a Ray cluster."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.settings.section import Positive, Section


class Cluster(Section):
    """What one training takes of the cluster at RAY_ADDRESS. No stage depends on it: it changes how long a training takes."""

    workers: Positive
    cpus_per_worker: Positive
    gpus_per_worker: Literal[0, 1]
    storage: Annotated[str, Field(pattern=r"^(/|s3://[^/]).*")]
