"""What each kind of model answers with: the body of every 200."""

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from serving.bundle import Kind
from serving.strict import Strict

UnknownCharacters = Annotated[
    int | None, Field(description="how many characters of the text the model never saw; absent where it knows them all")
]

UnknownWords = Annotated[
    int | None, Field(description="how many words of the text the model does not know; absent where it knows them all")
]


class LabelScore(Strict):
    """One class of a classification and its probability. An input's answer is a list of them, best first."""

    label: str
    score: float
    unknown_characters: UnknownCharacters = None
    unknown_words: UnknownWords = None


class WordImportance(Strict):
    """A word as it was read, whether the model knows it, and its share of the attention."""

    word: str
    known: bool
    importance: float


class Explained(Strict):
    """An input's answer with `explain`: its classes, best first, and its words in order.

    Importances, to four decimals, add up to 1. They say how much of each word, amid its neighbours, went into the sum that the
    scores come from, and not in which direction it pulled.
    """

    labels: list[LabelScore]
    words: list[WordImportance]


class GeneratedText(Strict):
    """One generated name and the condition it was generated for. An input's answer is a list of them."""

    generated_text: str
    label: str
    unknown_characters: UnknownCharacters = None


class Drawn(Strict):
    """A line of a streamed answer but the last: the characters that were added to the name."""

    token: str


class Alternative(Strict):
    """A translation that scored less."""

    translation_text: str
    score: float


class Attention(Strict):
    """Which source pieces each target piece was translated from: weights[t][s], to four decimals."""

    source: list[str]
    target: list[str]
    weights: list[list[float]]


class Translation(Strict):
    """An input's best translation; score is its length-normalized natural log-probability.

    `alternatives` is there when num_return_sequences is above 1, `attention` when it was asked for.
    """

    translation_text: str
    score: float
    unknown_characters: UnknownCharacters = None
    alternatives: list[Alternative] | None = None
    attention: Attention | None = None


Method = Annotated[
    str, Field(description="the method of the vectors that answered, the same for all words: those of others cannot be compared")
]


class AskedWord(Strict):
    """A word of a question as it was looked up. The vector of one that is not known was made from its n-grams."""

    word: str
    known: bool


class WordScore(Strict):
    """A word of the vocabulary and its cosine similarity to what was asked for."""

    word: str
    score: float


class NearestWords(Strict):
    """An input's answer to "nearest" and "analogy": words of the vocabulary, best first, those asked about left out."""

    method: Method
    asked: list[AskedWord]
    nearest: list[WordScore]


class Similarity(Strict):
    """An input's answer to "similarity": the cosine of the angle between the two words' vectors."""

    method: Method
    asked: list[AskedWord]
    score: float


class WordsInContext(Strict):
    """An input's answer to "context": its words as they were read, and the vector of each."""

    words: list[str]
    vectors: list[list[float]]


# What one input gets.
Classes = list[LabelScore] | Explained
Names = list[GeneratedText]
WordsAnswer = NearestWords | Similarity | WordsInContext

ANSWERS: Final[dict[Kind, TypeAdapter[object]]] = {
    "classification": TypeAdapter(Classes | list[Classes]),
    "generation": TypeAdapter(Names | list[Names]),
    "translation": TypeAdapter(list[Translation]),
    "vectors": TypeAdapter(WordsAnswer | list[WordsAnswer]),
}
