"""Requests to word vectors, and their answers."""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from serving.contract.requests import TextRequest
from serving.contract.strict import Strict

NEEDED: Final = ("methods",)
ALLOWED: Final = ("max_words",)
FILES: Final = ()
Question = Literal["nearest", "similarity", "analogy", "map", "context"]
QUESTIONS: Final[dict[Question, tuple[int, int]]] = {
    "nearest": (1, 1),
    "similarity": (2, 2),
    "analogy": (3, 3),
    "map": (1, 20),
}  # smallest and largest number of words that each takes; for "context", the bundle has the largest


class VectorsParameters(Strict):
    """The question: the words "nearest" to one, the "similarity" of two, the "analogy" of three, a "map", or "context"."""

    question: Question = Field(
        default="nearest",
        description='"nearest": the words most similar to "king"; "similarity": the similarity of "king queen"; '
        '"analogy": "man king woman", the word that relates to woman as king does to man; "map": 1 to 20 words and their '
        'neighbours on a plane; "context": the vectors of the words of a sentence in their context; default "nearest"',
    )
    top_k: int = Field(
        default=10,
        ge=1,
        le=100,
        description='words in the answer, 1 to 100, best first, for "nearest" and "analogy"; neighbours of each word for "map"; '
        "default 10",
    )
    layer: int | None = Field(
        default=None,
        ge=0,
        le=2,
        description='for "context": 0: from the characters only; 1 and 2: recurrent layers; default: the mean of all three',
    )


Method = Annotated[
    str, Field(description="the method of the vectors in this answer; vectors of different methods cannot be compared")
]


class AskedWord(Strict):
    """A word of a question as it was looked up. If it is not known, its vector was composed from its n-grams."""

    word: str
    known: bool


class WordScore(Strict):
    """A word of the vocabulary and its cosine similarity to the query."""

    word: str
    score: float


class NearestWords(Strict):
    """The answer to "nearest" and "analogy": words of the vocabulary, best first, without those of the question."""

    method: Method
    asked: list[AskedWord]
    nearest: list[WordScore]


class Similarity(Strict):
    """The answer to "similarity": the cosine similarity of the two words' vectors."""

    method: Method
    asked: list[AskedWord]
    score: float


class WordPlace(Strict):
    """A word and its place on a map, with four decimals."""

    word: str
    x: float
    y: float


class WordsOnMap(Strict):
    """The answer to "map": the words of the question, then their nearest neighbours, each word once.

    A place is the word's unit vector, projected onto the first two principal components of all words on the map. Words with
    similar vectors lie close to each other. The reverse need not hold, because two components show only a part of the
    differences.
    """

    method: Method
    asked: list[AskedWord]
    words: list[WordPlace]


class WordsInContext(Strict):
    """The answer to "context": the words as they were read, and the vector of each."""

    words: list[str]
    vectors: list[list[float]]


WordsAnswer = NearestWords | Similarity | WordsOnMap | WordsInContext
ONE: Final = TypeAdapter(WordsAnswer)


class VectorsRequest(TextRequest):
    """Words to compare. Each input is a question: words separated by white space, as many as the question takes.

    For "context", an input is a sentence. Its words are read in lower case and without punctuation, whether known or not.

    A model may have vectors of several methods. The first method whose vectors cover all words of a question answers it, and
    the answer names the method. A word is looked up as it is written, then in lower case, then in capitals. For a word that is
    still not found, only fastText has a vector, composed from its n-grams; without fastText, the question is refused.
    """

    parameters: VectorsParameters = VectorsParameters()

    def read(self, content: object) -> list[WordsAnswer]:
        """See Request."""
        return [ONE.validate_python(answer) for answer in self.each(content)]


REQUEST: Final = VectorsRequest
ANSWER: Final = TypeAdapter[object](WordsAnswer | list[WordsAnswer])
