"""Requests to classifiers, and their answers."""

from typing import Final

from pydantic import Field, TypeAdapter

from serving.bundle import GRAPH, TOKENIZER
from serving.contract.requests import TextRequest, UnknownCharacters, UnknownWords
from serving.contract.strict import Strict

NEEDED: Final = ("labels",)
ALLOWED: Final = ("temperature",)
FILES: Final = (TOKENIZER, GRAPH)


class ClassificationParameters(Strict):
    """How many classes to return, and whether to explain them."""

    top_k: int = Field(default=5, ge=1, description="maximum number of classes in the answer, best first; default 5")
    explain: bool = Field(
        default=False, description="also return the importance of each word; only for models that read words; default false"
    )


class LabelScore(Strict):
    """A class and its probability. The answer to an input is a list of them, best first."""

    label: str
    score: float
    unknown_characters: UnknownCharacters = None
    unknown_words: UnknownWords = None


class WordImportance(Strict):
    """A word as the model read it, whether the model knows it, and its share of the attention."""

    word: str
    known: bool
    importance: float


class Explained(Strict):
    """The answer to an input with `explain`: its classes, best first, and its words in order.

    Importances have four decimals and add up to 1. They are the weights of the words, each read in its context, in the sum that
    the scores are computed from. They do not say for or against which class a word counts.
    """

    labels: list[LabelScore]
    words: list[WordImportance]


Classes = list[LabelScore] | Explained
ONE: Final = TypeAdapter(Classes)


class ClassificationRequest(TextRequest):
    """Texts to classify."""

    parameters: ClassificationParameters = ClassificationParameters()

    def read(self, content: object) -> list[Classes]:
        """See Request."""
        return [ONE.validate_python(answer) for answer in self.each(content)]


REQUEST: Final = ClassificationRequest
ANSWER: Final = TypeAdapter[object](Classes | list[Classes])
