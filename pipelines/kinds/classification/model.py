"""Builds the classifiers for training."""

from pathlib import Path

from models.classification.attentive_classifier import AttentiveClassifier
from models.classification.classifier import Classifier
from models.text.characters import CharacterTokenizer
from models.text.subwords import SubwordTokenizer
from models.text.word_tokenizer import WordTokenizer
from pipelines.data.prepared import TOKENIZER, read_labels
from pipelines.kinds.classification.settings import CharactersTask, ClassificationTask, SubwordsTask, WordsTask


def build(task: ClassificationTask, prepared: Path) -> Classifier | AttentiveClassifier:
    """See `pipelines.kinds.parts.Model`."""
    tokenizer, classes = prepared / TOKENIZER, len(read_labels(prepared))
    match task:
        case CharactersTask():
            size = CharacterTokenizer.load(tokenizer).size
            return Classifier(vocabulary_size=size, classes=classes, **task.model.model_dump())
        case SubwordsTask():
            size = SubwordTokenizer.load(tokenizer).size
        case WordsTask():
            size = WordTokenizer.load(tokenizer).size
    return AttentiveClassifier(vocabulary_size=size, classes=classes, **task.model.model_dump())
