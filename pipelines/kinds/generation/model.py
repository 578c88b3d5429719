"""Builds the language model for training."""

from pathlib import Path

from models.generation.language_model import LanguageModel
from models.text.characters import CharacterTokenizer
from pipelines.data.prepared import TOKENIZER, read_labels
from pipelines.kinds.generation.settings import GenerationTask


def build(task: GenerationTask, prepared: Path) -> LanguageModel:
    """See `pipelines.kinds.parts.Model`."""
    size, labels = CharacterTokenizer.load(prepared / TOKENIZER).size, len(read_labels(prepared))
    return LanguageModel(vocabulary_size=size, labels=labels, **task.model.model_dump())
