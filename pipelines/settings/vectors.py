"""Settings of word vectors: the ways of making them, their comparison, their export."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipelines.settings.section import Count, Positive, PositiveFloat, Section, Serve, Share, Train


class OneHotVectors(Section):
    """No training: a vocabulary."""

    data: Literal["prepared/reviews"]


class Word2VecVectors(Section):
    """Settings of models.embeddings.word2vec."""

    data: Literal["prepared/reviews"]
    objective: Literal["negative_sampling", "hierarchical_softmax"]
    dimension: Positive
    window: Positive
    negatives: Positive
    sample: Annotated[float, Field(ge=0)]
    epochs: Positive
    learning_rate: PositiveFloat
    last_rate: PositiveFloat


class SkipGramVectors(Word2VecVectors):
    """The same, and which of the two engines trains."""

    engine: Literal["kernels", "batched"]
    batch: Positive
    noise: Positive

    @model_validator(mode="after")
    def _engine_has_the_objective(self) -> Self:
        if self.engine == "batched" and self.objective != "negative_sampling":
            raise ValueError("engine: batched has negative_sampling alone; use kernels for hierarchical_softmax")
        return self


class FastTextVectors(Section):
    """The same, and n-grams."""

    data: Literal["prepared/reviews"]
    dimension: Positive
    window: Positive
    negatives: Positive
    sample: Annotated[float, Field(ge=0)]
    epochs: Positive
    learning_rate: PositiveFloat
    last_rate: PositiveFloat
    shortest_ngram: Positive
    longest_ngram: Positive
    buckets: Positive


class GloVeVectors(Section):
    """Settings of models.embeddings.glove."""

    data: Literal["prepared/reviews"]
    dimension: Positive
    window: Annotated[int, Field(gt=0, le=127)]
    epochs: Positive
    learning_rate: PositiveFloat
    x_max: PositiveFloat
    alpha: PositiveFloat
    memory_mib: Positive


class PretrainedVectors(Section):
    """Vectors that others trained."""

    data: Literal["raw/glove-6b-50d", "raw/glove-6b"]


class NgramModel(Section):
    """Sizes of models.embeddings.ngram_lm.NgramLM."""

    embedding_size: Positive
    hidden_size: Positive
    direct: bool
    dropout: Share
    cutoffs: list[Positive]
    tied: bool


class NgramVectors(Section):
    """A neural n-gram language model; its order is that of the prepared rows."""

    data: Literal["prepared/brown"]
    model: NgramModel
    train: Train


class ElmoModel(Section):
    """Sizes of models.embeddings.elmo.ELMo, and the longest word that it reads whole."""

    character_size: Positive
    filters: Annotated[list[Positive], Field(min_length=1)]
    highways: Count
    size: Positive
    cutoffs: list[Positive]
    dropout: Share
    longest_word: Positive

    @model_validator(mode="after")
    def _filters_fit(self) -> Self:
        room = self.longest_word + 2  # the marks at the word's ends
        if len(self.filters) > room:
            raise ValueError(f"filters: there are {len(self.filters)}, and the widest has no room in {room} characters")
        return self


class ElmoVectors(Section):
    """A small ELMo, on some of the sentences."""

    data: Literal["prepared/reviews"]
    sentences: Count
    held_out: Positive
    longest: Positive
    model: ElmoModel
    train: Train


class VectorMethods(Section):
    """A block for each way of making word vectors."""

    one_hot: Annotated[OneHotVectors, Field(alias="one-hot")]
    skip_gram: Annotated[SkipGramVectors, Field(alias="skip-gram")]
    cbow: Word2VecVectors
    fasttext: FastTextVectors
    glove: GloVeVectors
    glove_6b: Annotated[PretrainedVectors, Field(alias="glove-6b")]
    ngram_lm: Annotated[NgramVectors, Field(alias="ngram-lm")]
    elmo: ElmoVectors


class VectorsEvaluate(Section):
    """How word vectors are compared."""

    vocabulary_limit: Positive
    neighbours: Positive
    neighbours_of: Annotated[list[str], Field(min_length=1)]
    groups: Annotated[dict[str, list[str]], Field(min_length=1)]
    contexts_of: list[str]
    contexts: Annotated[int, Field(ge=2)]
    contexts_shown: Positive


class VectorsExport(Section):
    """Which word vectors are served, beside the contextual ones; the longest word and sentence that may be asked for."""

    known: Literal["skip-gram", "cbow", "glove", "glove-6b", "ngram-lm"]
    unknown: Literal["fasttext"]
    max_length: Positive
    max_words: Positive


class Vectors(Section):
    """Word vectors, by all methods."""

    methods: VectorMethods
    evaluate: VectorsEvaluate
    export: VectorsExport
    serve: Serve


Method = OneHotVectors | Word2VecVectors | FastTextVectors | GloVeVectors | PretrainedVectors | NgramVectors | ElmoVectors
