"""A task's model, built from its params and its prepared data."""

from pathlib import Path

from torch import nn

from models.classifier import Classifier
from models.language_model import LanguageModel
from models.text.characters import CharacterTokenizer
from models.text.subwords import SubwordTokenizer
from models.translator import Translator
from pipelines.preparation.prepared import read_labels
from pipelines.settings.tasks import NamesTask, SurnameTask, Task


def build_model(task: Task, prepared: Path) -> nn.Module:
    """The model with fresh random weights.

    Args:
        task: the task's params.
        prepared: what the prepare stage made: its tokenizer and labels give the model's outer sizes.
    """
    settings = task.model.model_dump()
    if isinstance(task, SurnameTask):
        size = CharacterTokenizer.load(prepared / "tokenizer.json").size
        return Classifier(vocabulary_size=size, classes=len(read_labels(prepared)), **settings)
    if isinstance(task, NamesTask):
        size = CharacterTokenizer.load(prepared / "tokenizer.json").size
        return LanguageModel(vocabulary_size=size, labels=len(read_labels(prepared)), **settings)
    return Translator(vocabulary_size=SubwordTokenizer.load(prepared / "tokenizer.json").size, **settings)
