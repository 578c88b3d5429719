"""Settings of a task of this kind."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.settings.section import Positive, Section
from pipelines.settings.tasks import PlainData, TextTask


class VowelsModel(Section):
    """Sizes."""

    embedding_size: Positive


class VowelsTask(TextTask):
    """The block of a task."""

    kind: Literal["vowels"]
    units: Literal["characters"]
    data: PlainData
    model: VowelsModel
    examples: Annotated[list[str], Field(min_length=1)]


BLOCK = VowelsTask
