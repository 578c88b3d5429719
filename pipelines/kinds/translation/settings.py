"""Settings of a translator, from data preparation to serving."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from models.names import BridgeName, CellName, ContextName, ScheduleName
from pipelines.settings.section import EvaluateTexts, Export, Positive, PositiveFloat, Section, Serve, Share, Train
from pipelines.settings.tasks import PlainData, Prepare, Texts, TextTask

TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _is_a_tag(language: str) -> str:
    if not TAG.fullmatch(language):
        raise ValueError("a language is named by its tag, as in fr or pt-BR")
    return language


LanguageTag = Annotated[str, AfterValidator(_is_a_tag)]  # of BCP 47


class PairsPrepare(Prepare):
    """The languages, and how a parallel corpus is prepared."""

    source: LanguageTag
    target: LanguageTag
    vocabulary_size: Annotated[int, Field(ge=300)]
    min_words: Positive
    max_words: Positive
    max_ratio: Annotated[float, Field(ge=1)]
    joined: Share
    segmentations: Annotated[int, Field(ge=0, le=99)]
    subword_dropout: Share

    @field_validator("target")
    @classmethod
    def _is_another_language(cls, target: str, others: ValidationInfo) -> str:
        if target == others.data.get("source"):
            raise ValueError("the source is the same language")
        return target


class Teacher(Section):
    """See models.translation.teacher.Schedule."""

    kind: ScheduleName
    k: PositiveFloat
    floor: Annotated[float, Field(ge=0, le=1)]


class TranslatorModel(Section):
    """Sizes and parts of models.translation.translator.Translator."""

    cell: CellName
    embedding_size: Positive
    encoder_size: Positive
    hidden_size: Positive
    layers: Positive
    attention: ContextName
    attention_size: Positive
    heads: Positive
    input_feeding: bool
    bridge: BridgeName
    dropout: Share
    weight_dropout: Share
    label_smoothing: Share
    teacher: Teacher


class TranslationExport(Export):
    """Export settings, with the longest text, the decoder's precision and the default search."""

    max_sentences: Positive
    weights: Literal["float32", "int8"]
    num_beams: Annotated[int, Field(ge=1, le=10)]
    length_normalization: Literal["length", "wu"]
    length_penalty: Annotated[float, Field(ge=0, le=2)]
    coverage_penalty: Annotated[float, Field(ge=0, le=2)]


class TranslationEvaluate(EvaluateTexts):
    """Evaluation settings, with the number of attention heat maps."""

    heat_maps: Positive


class TranslationTask(TextTask):
    """A sentence -> its translation."""

    kind: Literal["translation"]
    units: Literal["subwords"]
    data: PlainData
    prepare: PairsPrepare
    model: TranslatorModel
    train: Train
    export: TranslationExport
    evaluate: TranslationEvaluate
    serve: Serve
    examples: Texts


BLOCK = TranslationTask
