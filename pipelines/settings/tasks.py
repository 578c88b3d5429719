"""Settings of the tasks, from the preparation of their data to their serving."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from models.recurrent.names import CellName
from models.seq2seq.names import BridgeName, ContextName, ScheduleName
from pipelines.settings.section import Count, Evaluate, Export, Positive, PositiveFloat, Section, Serve, Share, Train

Language = Literal["fr", "en"]


class NamesPrepare(Section):
    """How lists of names become splits."""

    lowercase: bool
    limit_per_label: Positive
    max_length: Positive
    valid_share: Annotated[float, Field(gt=0, lt=0.5)]
    test_share: Annotated[float, Field(gt=0, lt=0.5)]
    plain_copies: bool


class FurtherPrepare(Section):
    """How many of a data set's further pairs are for validation and for training, and how often training has each."""

    valid_pairs: Count
    train_pairs: Count
    repeats: Positive
    entry_repeats: Count


class PairsPrepare(Section):
    """Which side is translated into which, and how a parallel corpus becomes splits."""

    source: Language
    target: Language
    vocabulary_size: Annotated[int, Field(ge=300)]
    min_words: Positive
    max_words: Positive
    max_ratio: Annotated[float, Field(ge=1)]
    valid_pairs: Positive
    test_pairs: Positive
    train_pairs: Count
    further: FurtherPrepare
    segmentations: Annotated[int, Field(ge=0, le=99)]
    subword_dropout: Share

    @field_validator("target")
    @classmethod
    def _is_the_other_language(cls, target: Language, others: ValidationInfo) -> Language:
        if target == others.data.get("source"):
            raise ValueError("the source is the same; one has to be 'fr' and the other 'en'")
        return target


class SnippetsPrepare(Section):
    """How rated sentences become splits, and which words have an id."""

    vocabulary_size: Positive
    valid_share: Annotated[float, Field(gt=0, lt=0.5)]
    phrases: bool
    train_rows: Count


class ClassifierModel(Section):
    """Sizes of models.classifier.Classifier."""

    cell: CellName
    embedding_size: Positive
    hidden_size: Positive
    layers: Positive
    bidirectional: bool
    ngram_buckets: Positive
    longest_ngram: Positive
    input_dropout: Share
    dropout: Share
    label_smoothing: Share


class SurnameTrain(Train):
    """Also how much each label counts."""

    class_weighting: Literal["none", "balanced"]


class LanguageModelModel(Section):
    """Sizes of models.language_model.LanguageModel."""

    cell: CellName
    embedding_size: Positive
    label_size: Positive
    hidden_size: Positive
    dropout: Share
    locked: bool
    weight_dropout: Share
    tied: bool
    truncation: Count


class Teacher(Section):
    """See models.seq2seq.teacher.Schedule."""

    kind: ScheduleName
    k: PositiveFloat
    floor: Annotated[float, Field(ge=0, le=1)]


class TranslatorModel(Section):
    """Sizes and parts of models.seq2seq.translator.Translator."""

    cell: CellName
    embedding_size: Positive
    encoder_size: Positive
    hidden_size: Positive
    layers: Positive
    attention: ContextName
    attention_size: Positive
    heads: Positive
    input_feeding: bool
    bridge: BridgeName
    dropout: Share
    weight_dropout: Share
    label_smoothing: Share
    teacher: Teacher


class AttentiveModel(Section):
    """Sizes of models.attentive_classifier.AttentiveClassifier."""

    embedding_size: Positive
    embeddings: Literal["frozen", "tuned"]
    cell: CellName
    hidden_size: Positive
    attention_size: Positive
    input_dropout: Share
    dropout: Share
    label_smoothing: Share


class NamesEvaluate(Evaluate):
    """Also samples names."""

    samples: Positive
    temperature: PositiveFloat


class TranslationEvaluate(Evaluate):
    """Also draws attention."""

    heat_maps: Positive


class SentimentEvaluate(Evaluate):
    """Also shows what the attention falls on."""

    shown: Positive


class TranslationExport(Export):
    """Also the numbers that its decoder computes with, and how it searches, as evaluated and as served by default."""

    weights: Literal["float32", "int8"]
    num_beams: Annotated[int, Field(ge=1, le=10)]
    length_normalization: Literal["length", "wu"]
    length_penalty: Annotated[float, Field(ge=0, le=2)]
    coverage_penalty: Annotated[float, Field(ge=0, le=2)]


class SurnameTask(Section):
    """Surname -> nationality."""

    dataset: Literal["surnames17", "names18"]
    prepare: NamesPrepare
    model: ClassifierModel
    train: SurnameTrain
    export: Export
    evaluate: Evaluate
    serve: Serve


class NamesTask(Section):
    """Label -> name; of first names, which have one label, any name."""

    dataset: Literal["surnames17", "names18", "makemore"]
    prepare: NamesPrepare
    model: LanguageModelModel
    train: Train
    export: Export
    evaluate: NamesEvaluate
    serve: Serve


class TranslationTask(Section):
    """French -> English, or English -> French."""

    dataset: Literal["debian-stories-fr-en", "debian-fr-en", "multi30k-fr-en", "tatoeba-fr-en"]
    prepare: PairsPrepare
    model: TranslatorModel
    train: Train
    export: TranslationExport
    evaluate: TranslationEvaluate
    serve: Serve


class SentimentTask(Section):
    """Sentence -> sentiment."""

    dataset: Literal["rotten-tomatoes", "sst"]
    prepare: SnippetsPrepare
    model: AttentiveModel
    train: Train
    export: Export
    evaluate: SentimentEvaluate
    serve: Serve


Task = SurnameTask | NamesTask | TranslationTask | SentimentTask
