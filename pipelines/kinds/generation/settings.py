"""Settings of a text generator, from data preparation to serving."""

from typing import Annotated, Literal

from pydantic import Field

from models.names import CellName
from pipelines.settings.section import Count, EvaluateTexts, Export, Positive, PositiveFloat, Section, Serve, Share, Train
from pipelines.settings.tasks import PlainData, Prepare, TextTask

ANY = "any"  # stands for any label


class GenerationPrepare(Prepare):
    """How texts for a generator are prepared."""

    lowercase: bool
    max_length: Positive


class LanguageModelModel(Section):
    """Sizes of models.generation.language_model.LanguageModel."""

    cell: CellName
    embedding_size: Positive
    label_size: Positive
    hidden_size: Positive
    dropout: Share
    locked: bool
    weight_dropout: Share
    tied: bool
    truncation: Count


class GenerationEvaluate(EvaluateTexts):
    """Evaluation settings, with the number and temperature of samples."""

    samples: Positive
    temperature: PositiveFloat


class Beginning(Section):
    """The beginning of a text to generate, and its label, which may be ANY."""

    text: str
    label: str


class GenerationTask(TextTask):
    """Label -> text; without labels, any text."""

    kind: Literal["generation"]
    units: Literal["characters"]
    data: PlainData
    prepare: GenerationPrepare
    model: LanguageModelModel
    train: Train
    export: Export
    evaluate: GenerationEvaluate
    serve: Serve
    examples: Annotated[list[Beginning], Field(min_length=1)]


BLOCK = GenerationTask
