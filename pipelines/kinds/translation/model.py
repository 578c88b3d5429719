"""Builds the translator for training."""

from pathlib import Path

from models.text.subwords import SubwordTokenizer
from models.translation.teacher import Schedule
from models.translation.translator import Translator
from pipelines.data.prepared import TOKENIZER
from pipelines.kinds.translation.settings import TranslationTask


def build(task: TranslationTask, prepared: Path) -> Translator:
    """See `pipelines.kinds.parts.Model`."""
    settings = task.model.model_dump()
    settings["teacher"] = Schedule(**settings["teacher"])
    return Translator(vocabulary_size=SubwordTokenizer.load(prepared / TOKENIZER).size, **settings)
