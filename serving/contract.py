"""The one shape of requests, for every kind of model; serving.answers has what comes back.

A request is `{"inputs": "..." or ["...", ...], "parameters": {...}}`. Unknown fields, wrong types and values out of range
are refused with a code and a message that says what would be right.
"""

from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from serving.bundle import Kind, LengthNormalization, MinLength, NgramSize, NumBeams, Penalty
from serving.faults import MAX_INPUTS, RequestError, from_validation
from serving.strict import Strict

Inputs = str | Annotated[list[str], Field(min_length=1, max_length=MAX_INPUTS)]
MaxSequences = Annotated[int, Field(ge=1, le=16)]
Question = Literal["nearest", "similarity", "analogy", "context"]
QUESTIONS: Final[dict[Question, int]] = {"nearest": 1, "similarity": 2, "analogy": 3}  # words that each takes; "context": any


class ClassificationParameters(Strict):
    """How many classes a classifier names, and whether it says what it looked at."""

    top_k: int = Field(
        default=5, ge=1, description="classes in the answer, best first; all of them where there are fewer; default 5"
    )
    explain: bool = Field(
        default=False, description="return the importance of each word, too; only of models that read words; default false"
    )


class GenerationParameters(Strict):
    """How a name is continued."""

    label: str | None = Field(default=None, description="condition of the name; default: drawn uniformly for each sequence")
    temperature: float = Field(
        default=1.0, ge=0, le=5, allow_inf_nan=False, description="divides the logits; 0: the best; default 1"
    )
    top_k: int | None = Field(default=None, ge=1, description="draw from the k most probable characters; default: from all")
    top_p: float = Field(
        default=1.0, gt=0, le=1, allow_inf_nan=False, description="draw from the smallest set of this mass; default 1"
    )
    seed: int | None = Field(
        default=None, ge=0, lt=2**63, description="the same seed gives the same input the same answer; default: fresh randomness"
    )
    num_return_sequences: MaxSequences = Field(default=1, description="names for each input, 1 to 16; default 1")
    max_new_tokens: int | None = Field(
        default=None, ge=1, description="characters added at most; a name never exceeds the model's longest; default: up to that"
    )
    stream: bool = Field(
        default=False,
        description="send each character as it is drawn, a JSON object a line, and the answer as the last line; "
        "for a single text and a single sequence; default false",
    )


class TranslationParameters(Strict):
    """How a translation is searched."""

    num_beams: NumBeams | None = Field(default=None, description="width of the beam, 1 (greedy) to 10; default: the model's own")
    length_normalization: LengthNormalization | None = Field(
        default=None,
        description='"length": scores are divided by n**length_penalty for n subwords; "wu": by ((5 + n) / 6)**length_penalty; '
        "default: the model's own",
    )
    length_penalty: Penalty | None = Field(
        default=None, description="exponent of the length normalization, 0 (none) to 2; default: the model's own"
    )
    coverage_penalty: Penalty | None = Field(
        default=None, description="how much it costs to leave parts of the text unread, 0 to 2; default: the model's own"
    )
    min_length: MinLength | None = Field(default=None, description="fewest subwords of a translation; default: the model's own")
    no_repeat_ngram_size: NgramSize | None = Field(
        default=None, description="no sequence of so many subwords comes twice, 0 (any may) to 16; default: the model's own"
    )
    num_return_sequences: int = Field(default=1, ge=1, description="translations for each input, 1 to num_beams; default 1")
    attention: bool = Field(default=False, description="return the attention weights, too; default false")


class VectorsParameters(Strict):
    """What is asked of words: the "nearest" to one, the "similarity" of two, the "analogy" of three, or their "context"."""

    question: Question = Field(
        default="nearest",
        description='"nearest": the words most like "king"; "similarity": how alike "king queen" are; '
        '"analogy": "man king woman", what is to woman as king is to man; "context": the vector of each word of a sentence '
        'in that sentence; default "nearest"',
    )
    top_k: int = Field(
        default=10, ge=1, le=100, description="words in an answer, best first, 1 to 100; only rankings have any; default 10"
    )
    layer: int | None = Field(
        default=None,
        ge=0,
        le=2,
        description='of "context": 0, from the word\'s characters alone; 1 and 2, of the recurrent layers; default: their mean',
    )


class ClassificationRequest(Strict):
    """Texts to classify."""

    inputs: Inputs
    parameters: ClassificationParameters = ClassificationParameters()


class GenerationRequest(Strict):
    """Beginnings of names to continue; "" leaves everything to the model."""

    inputs: Inputs
    parameters: GenerationParameters = GenerationParameters()


class TranslationRequest(Strict):
    """Sentences to translate."""

    inputs: Inputs
    parameters: TranslationParameters = TranslationParameters()


class VectorsRequest(Strict):
    """Words to compare. Each input is a question of its own: one, two or three words with white space between them.

    For "context" an input is a sentence; words are read without punctuation, in lower case, known or not.

    A model may have vectors of several methods. A question is answered by the first whose vectors have all of its words, and the
    answer names the method. A word that a vocabulary does not have as it is written is looked up in lower case. If the vocabulary
    does not have it then either, only fastText has a vector of it, made from its n-grams; without fastText, it is refused.
    """

    inputs: Inputs
    parameters: VectorsParameters = VectorsParameters()


Request = ClassificationRequest | GenerationRequest | TranslationRequest | VectorsRequest
REQUESTS: Final[dict[Kind, type[Request]]] = {
    "classification": ClassificationRequest,
    "generation": GenerationRequest,
    "translation": TranslationRequest,
    "vectors": VectorsRequest,
}
R = TypeVar("R", ClassificationRequest, GenerationRequest, TranslationRequest, VectorsRequest)


def parse_request(request: type[R], content: object) -> R:
    """Validate what a client sent.

    Raises:
        RequestError: it is not a request of this type, or an input of it is no Unicode text.
    """
    try:
        parsed = request.model_validate(content)
    except ValidationError as error:
        raise from_validation(error, request, type(request.model_fields["parameters"].default)) from error
    for i, text in enumerate(texts(parsed)):
        if not is_unicode(text):
            raise input_error(parsed, i, "not_utf8", "the text holds a lone surrogate, which no UTF-8 text can")
    return parsed


def texts(request: Request) -> list[str]:
    """The inputs as a list, also where a single one was sent."""
    return [request.inputs] if isinstance(request.inputs, str) else request.inputs


def input_error(request: Request, index: int, code: str, message: str) -> RequestError:
    """The fault of one input; its place is named only where there is a list."""
    return RequestError(code, message, None if isinstance(request.inputs, str) else index)


def is_unicode(text: str) -> bool:
    """Whether the text can be written as UTF-8; JSON's escapes can smuggle in lone surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
