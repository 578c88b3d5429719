"""A task's model, built from its params and its prepared data."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.attentive_classifier import AttentiveClassifier
from models.classifier import Classifier
from models.language_model import LanguageModel
from models.seq2seq.teacher import Schedule
from models.seq2seq.translator import Translator
from models.text.characters import CharacterTokenizer
from models.text.subwords import SubwordTokenizer
from models.text.word_tokenizer import WordTokenizer
from pipelines.preparation.prepared import read_labels, read_vectors
from pipelines.settings.tasks import NamesTask, SentimentTask, SurnameTask, Task


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
    if isinstance(task, SentimentTask):
        size = WordTokenizer.load(prepared / "tokenizer.json").size
        return AttentiveClassifier(vocabulary_size=size, classes=len(read_labels(prepared)), **settings)
    settings["teacher"] = Schedule(**settings["teacher"])
    return Translator(vocabulary_size=SubwordTokenizer.load(prepared / "tokenizer.json").size, **settings)


def begin_pretrained(model: nn.Module, prepared: Path) -> None:
    """Give a model that begins with pretrained vectors those of its prepared data.

    Raises:
        ValueError: they are of another size than the model's.
    """
    if isinstance(model, AttentiveClassifier):
        model.begin_with(torch.from_numpy(np.array(read_vectors(prepared))))
