"""Classifiers as exported to ONNX, with the inputs and outputs that serving expects."""

from torch import Tensor, nn

from models.classification.attentive_classifier import AttentiveClassifier
from models.classification.classifier import Classifier


class ClassifierGraph(nn.Module):
    """The full classifier: (characters [B, T] from BOS to EOS, lengths [B]) -> logits [B, C]."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """See the class."""
        return self.model.logits(characters, lengths)


class SubwordClassifierGraph(nn.Module):
    """The full sentence classifier: (subwords [B, T], lengths [B]) -> logits [B, C], importances [B, T]."""

    def __init__(self, model: AttentiveClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, subwords: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.model.logits(subwords, lengths)


class WordClassifierGraph(nn.Module):
    """The full sentence classifier: (words [B, T], lengths [B]) -> logits [B, C], importances [B, T]."""

    def __init__(self, model: AttentiveClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, words: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.model.logits(words, lengths)
