"""Requests to translators, and their answers."""

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from serving.bundle import CASE, GRAPH, TOKENIZER, LengthNormalization, MinLength, NgramSize, NumBeams, Penalty
from serving.contract.requests import TextRequest, UnknownCharacters
from serving.contract.strict import Strict

NEEDED: Final = ("decoding", "language", "max_sentences")
ALLOWED: Final = ()
FILES: Final = (TOKENIZER, CASE, GRAPH)


class TranslationParameters(Strict):
    """Settings of the beam search, and what to return."""

    num_beams: NumBeams | None = Field(default=None, description="beam width, 1 (greedy) to 10; default: the model's own")
    length_normalization: LengthNormalization | None = Field(
        default=None,
        description='"length": scores are divided by n**length_penalty for n subwords; "wu": by ((5 + n) / 6)**length_penalty; '
        "default: the model's own",
    )
    length_penalty: Penalty | None = Field(
        default=None, description="exponent of the length normalization, 0 (none) to 2; default: the model's own"
    )
    coverage_penalty: Penalty | None = Field(
        default=None, description="weight of the penalty for source text with little attention, 0 to 2; default: the model's own"
    )
    min_length: MinLength | None = Field(default=None, description="minimum length in subwords; default: the model's own")
    no_repeat_ngram_size: NgramSize | None = Field(
        default=None, description="n-grams of this many subwords are not repeated, 0 (no limit) to 16; default: the model's own"
    )
    num_return_sequences: int = Field(default=1, ge=1, description="translations for each input, 1 to num_beams; default 1")
    attention: bool = Field(default=False, description="also return the attention weights; default false")
    sentences: bool = Field(default=False, description="also return each sentence and its translation; default false")
    tree: bool = Field(
        default=False,
        description="also return the search: every hypothesis that was in the beam; only for a single text, not a list; "
        "default false",
    )


class Attention(Strict):
    """Attention of each target piece to the source pieces: weights[t][s], with four decimals."""

    source: list[str]
    target: list[str]
    weights: list[list[float]]


class Hypothesis(Strict):
    """A node of a search: the hypothesis that its last subword extends."""

    piece: Annotated[str, Field(description="its last subword; <eos> ends it")]
    parent: Annotated[int | None, Field(description="place in this list, from 0, of the hypothesis that it extends")] = None
    log_probability: Annotated[float, Field(description="natural, of all its subwords, with four decimals")]
    rank: Annotated[
        int | None, Field(description="place among the translations that were found, 1 for the best; absent for all others")
    ] = None


class Sentence(Strict):
    """A sentence of a text and its translation."""

    source_text: str
    translation_text: str
    score: float
    attention: Attention | None = None
    tree: list[Hypothesis] | None = None


class Alternative(Strict):
    """A translation with a lower score."""

    translation_text: str
    score: float
    sentences: list[Sentence] | None = None


class Translation(Strict):
    """The best translation of an input.

    The score of a sentence is its length-normalized natural log-probability; that of a text is the mean over its sentences.

    `alternatives` is present if num_return_sequences is above 1. `sentences` is present on request. For a text of several
    sentences, attention and tree are inside `sentences`, which is then also present if only these were requested.
    """

    translation_text: str
    score: float
    unknown_characters: UnknownCharacters = None
    alternatives: list[Alternative] | None = None
    attention: Attention | None = None
    tree: list[Hypothesis] | None = None
    sentences: list[Sentence] | None = None


class TranslationRequest(TextRequest):
    """Texts to translate."""

    parameters: TranslationParameters = TranslationParameters()

    def read(self, content: object) -> list[Translation]:
        """See Request."""
        return ANSWER.validate_python(content)


REQUEST: Final = TranslationRequest
ANSWER: Final = TypeAdapter(list[Translation])  # a list even for a single text
