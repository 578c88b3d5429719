"""Settings of word vectors: methods, comparison and export."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.settings.section import NONE, Count, Date, Positive, PositiveFloat, Section, Serve, Share, Train

Objective = Literal["negative_sampling", "hierarchical_softmax"]
CorpusPath = Annotated[str, Field(pattern="^prepared/[a-z0-9-]+$")]  # path of a corpus in data/


class Made(Section):
    """A method, and the block of `vectors` that compares it with others."""

    vectors: str


class Learned(Made):
    """A method that learns from a corpus."""

    data: CorpusPath


class OneHotVectors(Learned):
    """One-hot vectors: a vocabulary, without training."""

    algorithm: Literal["one_hot"]


class WindowVectors(Learned):
    """Settings of models.embeddings.word2vec."""

    dimension: Positive
    window: Positive
    negatives: Positive
    sample: Annotated[float, Field(ge=0)]
    epochs: Positive
    learning_rate: PositiveFloat
    last_rate: PositiveFloat


class CbowVectors(WindowVectors):
    """Continuous bag of words."""

    algorithm: Literal["cbow"]
    objective: Objective


class SkipGramVectors(WindowVectors):
    """Skip-gram, with a choice of two training engines."""

    algorithm: Literal["skip_gram"]
    objective: Objective
    engine: Literal["kernels", "batched"]
    batch: Positive
    noise: Positive

    @model_validator(mode="after")
    def _engine_has_the_objective(self) -> Self:
        if self.engine == "batched" and self.objective != "negative_sampling":
            raise ValueError("engine: batched supports only negative_sampling; use kernels for hierarchical_softmax")
        return self


class FastTextVectors(WindowVectors):
    """FastText: word vectors with character n-grams."""

    algorithm: Literal["fasttext"]
    shortest_ngram: Positive
    longest_ngram: Positive
    buckets: Positive


class GloVeVectors(Learned):
    """Settings of models.embeddings.glove."""

    algorithm: Literal["glove"]
    dimension: Positive
    window: Annotated[int, Field(gt=0, le=127)]
    epochs: Positive
    learning_rate: PositiveFloat
    x_max: PositiveFloat
    alpha: PositiveFloat
    memory_mib: Positive


class PretrainedVectors(Made):
    """Pretrained vectors."""

    algorithm: Literal["pretrained"]
    data: Annotated[str, Field(pattern="^raw/[a-z0-9-]+$")]  # path of a data set in data/


class NgramModel(Section):
    """Sizes of models.embeddings.ngram_lm.NgramLM."""

    embedding_size: Positive
    hidden_size: Positive
    direct: bool
    dropout: Share
    cutoffs: list[Positive]
    tied: bool


class NgramVectors(Learned):
    """A neural n-gram language model; the prepared rows determine its order."""

    algorithm: Literal["ngram_lm"]
    model: NgramModel
    train: Train


class ElmoModel(Section):
    """Sizes of models.embeddings.elmo.ELMo, and the longest word that it reads without truncation."""

    character_size: Positive
    filters: Annotated[list[Positive], Field(min_length=1)]
    highways: Count
    size: Positive
    cutoffs: list[Positive]
    dropout: Share
    longest_word: Positive

    @model_validator(mode="after")
    def _filters_fit(self) -> Self:
        room = self.longest_word + 2  # with the start and end marks
        if len(self.filters) > room:
            raise ValueError(f"filters: there are {len(self.filters)}, but the widest does not fit in {room} characters")
        return self


class ElmoVectors(Learned):
    """A small ELMo, trained on some of the sentences."""

    algorithm: Literal["elmo"]
    sentences: Count
    held_out: Positive
    longest: Positive
    model: ElmoModel
    train: Train


Method = Annotated[
    OneHotVectors
    | SkipGramVectors
    | CbowVectors
    | FastTextVectors
    | GloVeVectors
    | PretrainedVectors
    | NgramVectors
    | ElmoVectors,
    Field(discriminator="algorithm"),
]


class WordQuestions(Section):
    """How word vectors are compared: analogies, human ratings of pairs, neighbours, and sentences of a corpus."""

    questions: Literal["words"]
    set: Literal["word-relations"]
    corpus: str
    vocabulary_limit: Positive
    neighbours: Positive
    neighbours_of: list[str]
    groups: dict[str, list[str]]
    contexts_of: list[str]
    contexts: Annotated[int, Field(ge=2)]
    contexts_shown: Positive


class ComovementQuestions(Section):
    """How vectors of stocks are evaluated: against past returns, as predictors of the correlations in a later period."""

    questions: Literal["comovements"]
    set: str
    corpus: str
    until: Date
    future_until: Date
    components: Positive
    block: Positive
    resamples: Annotated[int, Field(ge=2)]
    configurations_tried: Positive
    groups: dict[str, list[str]]

    @model_validator(mode="after")
    def _has_a_future(self) -> Self:
        if self.future_until <= self.until:
            raise ValueError(f"future_until must be later than until, which is {self.until}")
        return self

    @model_validator(mode="after")
    def _groups_are_apart(self) -> Self:
        members = [stock for group in self.groups.values() for stock in group]
        if twice := sorted({stock for stock in members if members.count(stock) > 1}):
            raise ValueError(f"groups: {', '.join(twice)} is in more than one group")
        return self


VectorsEvaluate = Annotated[WordQuestions | ComovementQuestions, Field(discriminator="questions")]


# Algorithms allowed for each role in `export`: vectors of known words, of any word, and of a word in its sentence.
ROLES = {
    "known": ("skip_gram", "cbow", "glove", "pretrained", "ngram_lm"),
    "unknown": ("fasttext",),
    "contextual": ("elmo",),
}


class VectorsExport(Section):
    """The served methods, each VECTORS/METHOD or none, and the limits of a request's words and sentences."""

    known: str
    unknown: str
    contextual: str
    max_length: Positive
    max_words: Positive

    @model_validator(mode="after")
    def _serves_something(self) -> Self:
        if not self.answering:
            raise ValueError("known and unknown are both none, but at least one of them is required")
        return self

    @property
    def answering(self) -> list[str]:
        """Paths of the methods that answer questions about words, in order of precedence."""
        return [path for path in (self.known, self.unknown) if path != NONE]


class VectorsExamples(Section):
    """Example requests: two words, analogies of three words each, and an out-of-vocabulary word or none."""

    words: Annotated[list[Annotated[str, Field(pattern=r"^\S+$")]], Field(min_length=2, max_length=2)]
    analogies: list[Annotated[str, Field(pattern=r"^\S+ \S+ \S+$")]]
    unknown: str


class Vectors(Section):
    """Word vectors that are compared and served."""

    evaluate: VectorsEvaluate
    export: VectorsExport
    serve: Serve
    examples: VectorsExamples

    @model_validator(mode="after")
    def _shows_what_it_can(self) -> Self:
        if self.export.unknown != NONE and self.examples.unknown == NONE:
            raise ValueError(f"examples.unknown is none, but {self.export.unknown} has vectors of unknown words; name one")
        return self
