"""params.yaml as typed, validated objects."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.stage import StageError

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
RELATIONS = "word-relations"  # the data set that word vectors are asked about
Block = TypeVar("Block")


class Section(BaseModel):
    """A block of params.yaml: no unknown key, no silent conversion, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NamesPrepare(Section):
    """How lists of names become splits."""

    lowercase: bool
    limit_per_label: Positive
    max_length: Positive
    valid_share: Annotated[float, Field(gt=0, lt=0.5)]
    test_share: Annotated[float, Field(gt=0, lt=0.5)]


class PairsPrepare(Section):
    """How a parallel corpus becomes splits."""

    vocabulary_size: Annotated[int, Field(ge=300)]
    min_words: Positive
    max_words: Positive
    max_ratio: Annotated[float, Field(ge=1)]
    valid_pairs: Positive
    test_pairs: Positive
    train_pairs: Count


class WordsPrepare(Section):
    """How running text becomes sentences of word ids."""

    min_count: Positive
    limit: Count


class StreamPrepare(Section):
    """How a corpus becomes the rows that an n-gram model predicts."""

    rare: Count
    order: Annotated[int, Field(ge=2)]
    row_words: Positive
    limit: Count


class ClassifierModel(Section):
    """Sizes of models.classifier.Classifier."""

    embedding_size: Positive
    hidden_size: Positive
    ngram_buckets: Positive
    longest_ngram: Positive
    input_dropout: Share
    dropout: Share
    label_smoothing: Share


class LanguageModelModel(Section):
    """Sizes of models.language_model.LanguageModel."""

    embedding_size: Positive
    label_size: Positive
    hidden_size: Positive
    dropout: Share


class TranslatorModel(Section):
    """Sizes of models.translator.Translator."""

    embedding_size: Positive
    hidden_size: Positive
    attention_size: Positive
    dropout: Share
    label_smoothing: Share


class Train(Section):
    """The training loop, the same for every task."""

    epochs: Positive
    batch_units: Positive
    learning_rate: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_share: Annotated[float, Field(gt=0, lt=1)]
    clip_norm: PositiveFloat
    patience: Positive


class Evaluate(Section):
    """Measuring on the test split."""

    batch_size: Positive
    limit: Count


class NamesEvaluate(Evaluate):
    """Also samples names."""

    samples: Positive
    temperature: PositiveFloat


class TranslationEvaluate(Evaluate):
    """Also draws attention."""

    heat_maps: Positive


class Export(Section):
    """What the exported model accepts."""

    max_length: Positive


class TranslationExport(Export):
    """Also how it searches, as evaluated and as served by default."""

    num_beams: Annotated[int, Field(ge=1, le=10)]
    length_penalty: Annotated[float, Field(ge=0, le=2)]


class Serve(Section):
    """TorchServe's settings for one model."""

    workers: Positive
    batch_size: Positive
    max_batch_delay_ms: Count
    response_timeout_s: Positive


class SurnameTask(Section):
    """Surname -> nationality."""

    dataset: Literal["surnames17", "names18"]
    prepare: NamesPrepare
    model: ClassifierModel
    train: Train
    export: Export
    evaluate: Evaluate
    serve: Serve


class NamesTask(Section):
    """Nationality -> surname."""

    dataset: Literal["surnames17", "names18"]
    prepare: NamesPrepare
    model: LanguageModelModel
    train: Train
    export: Export
    evaluate: NamesEvaluate
    serve: Serve


class TranslationTask(Section):
    """French -> English."""

    dataset: Literal["debian-fr-en"]
    prepare: PairsPrepare
    model: TranslatorModel
    train: Train
    export: TranslationExport
    evaluate: TranslationEvaluate
    serve: Serve


Task = SurnameTask | NamesTask | TranslationTask


class Reviews(Section):
    """Sentences of movie reviews."""

    dataset: Literal["movie-reviews"]
    prepare: WordsPrepare


class Brown(Section):
    """The Brown corpus."""

    dataset: Literal["brown"]
    prepare: StreamPrepare


Source = Task | Reviews | Brown


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


class NgramVectors(Section):
    """A neural n-gram language model; its order is that of the prepared rows."""

    data: Literal["prepared/brown"]
    model: NgramModel
    train: Train


class VectorMethods(Section):
    """A block for each way of making word vectors."""

    one_hot: Annotated[OneHotVectors, Field(alias="one-hot")]
    skip_gram: Annotated[Word2VecVectors, Field(alias="skip-gram")]
    cbow: Word2VecVectors
    fasttext: FastTextVectors
    glove: GloVeVectors
    glove_6b: Annotated[PretrainedVectors, Field(alias="glove-6b")]
    ngram_lm: Annotated[NgramVectors, Field(alias="ngram-lm")]


class VectorsEvaluate(Section):
    """How word vectors are compared."""

    vocabulary_limit: Positive
    neighbours: Positive
    neighbours_of: Annotated[list[str], Field(min_length=1)]
    groups: Annotated[dict[str, list[str]], Field(min_length=1)]


class VectorsExport(Section):
    """Which word vectors are served, and the longest word that may be asked for."""

    method: Literal["skip-gram", "cbow", "fasttext", "glove", "glove-6b", "ngram-lm"]
    max_length: Positive


class Vectors(Section):
    """Word vectors, by all methods."""

    methods: VectorMethods
    evaluate: VectorsEvaluate
    export: VectorsExport
    serve: Serve


Method = OneHotVectors | Word2VecVectors | FastTextVectors | GloVeVectors | PretrainedVectors | NgramVectors


class Params(Section):
    """All of params.yaml."""

    datasets: list[str]
    seed: Count
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    surname: SurnameTask
    names: NamesTask
    fr_en: Annotated[TranslationTask, Field(alias="fr-en")]
    reviews: Reviews
    brown: Brown
    vectors: Vectors

    def task(self, name: str) -> Task:
        """The block of one task. Raises StageError, with the closest name, for an unknown one."""
        return _choose("task", name, self._tasks())

    def source(self, name: str) -> Source:
        """The block of one task or corpus, which has data to prepare. Raises StageError like `task`."""
        return _choose("task or corpus", name, {**self._tasks(), "reviews": self.reviews, "brown": self.brown})

    def method(self, name: str) -> Method:
        """The block of one way of making word vectors. Raises StageError like `task`."""
        return _choose("method", name, self.methods())

    def methods(self) -> dict[str, Method]:
        """All ways of making word vectors, by name."""
        blocks = self.vectors.methods
        return {field.alias or key: getattr(blocks, key) for key, field in type(blocks).model_fields.items()}

    def described(self, name: str) -> tuple[Section, list[str]]:
        """The settings of what a stage works on, a task or a method or `vectors` for all of these, and its data sets' ids.

        Raises:
            StageError: there is nothing of this name.
        """
        if name in self._tasks():
            return self.task(name), [self.task(name).dataset]
        if name == "vectors":
            return self.vectors, sorted({RELATIONS, *map(self._dataset, self.methods().values())})
        return self.method(name), [self._dataset(self.method(name))]

    def _dataset(self, method: Method) -> str:
        kind, _, name = method.data.partition("/")
        return name if kind == "raw" else self.source(name).dataset

    def _tasks(self) -> dict[str, Task]:
        return {"surname": self.surname, "names": self.names, "fr-en": self.fr_en}


def _choose(kind: str, name: str, blocks: Mapping[str, Block]) -> Block:
    if name not in blocks:
        raise StageError(f"there is no {kind} {name!r}{closest(name, blocks)}")
    return blocks[name]


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the file.

    Raises:
        StageError: names each wrong key in full, what is allowed there, and the closest valid key to an unknown one.
    """
    try:
        return Params.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise StageError(f"{path}: " + "; ".join(_explain(dict(e)) for e in error.errors())) from error


def closest(name: str, valid: Any) -> str:
    """A hint to append to a message about a wrong name: the nearest valid one, and all of them."""
    near = get_close_matches(str(name), list(valid), n=1, cutoff=0.4)
    return (f"; did you mean {near[0]!r}?" if near else "") + f" (valid: {', '.join(valid)})"


def _explain(error: dict[str, Any]) -> str:
    """One problem as a phrase."""
    keys = [str(key) for key in error["loc"]]
    where = ".".join(keys)
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}{closest(keys[-1], _keys_at(keys[:-1]))}"
    if error["type"] == "missing":
        return f"key {where!r} is missing"
    if error["type"] == "literal_error":
        hint = f"must be {error['ctx']['expected']}"
    else:
        hint = error["msg"][0].lower() + error["msg"][1:]
    return f"{where} = {error['input']!r}: {hint}"


def _keys_at(path: list[str]) -> list[str]:
    """The valid keys of the block at `path`."""
    block: Any = Params
    for key in path:
        fields = {field.alias or name: field for name, field in block.model_fields.items()}
        block = fields[key].annotation  # a plain Section: no block is optional or one of several
    return [field.alias or name for name, field in block.model_fields.items()]
