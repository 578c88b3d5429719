"""Settings of a classifier, from data preparation to serving."""

from typing import Annotated, Literal

from pydantic import Field

from models.names import CellName
from pipelines.settings.section import EvaluateTexts, Export, Positive, Section, Serve, Share, Train
from pipelines.settings.tasks import PlainData, Prepare, TaskData, Texts, TextTask


class CharactersPrepare(Prepare):
    """How labelled texts are prepared, with characters as units."""

    lowercase: bool
    max_length: Positive
    plain_copies: bool


class SubwordsPrepare(Prepare):
    """How labelled texts are prepared, with subwords as units."""

    lowercase: bool
    max_length: Positive
    vocabulary_size: Annotated[int, Field(ge=300)]


class WordsPrepare(Prepare):
    """How labelled texts are prepared, with words as units."""

    max_length: Positive
    vocabulary_size: Positive


class ClassifierModel(Section):
    """Sizes of models.classification.classifier.Classifier."""

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


class AttentiveModel(Section):
    """Sizes of models.classification.attentive_classifier.AttentiveClassifier."""

    embedding_size: Positive
    embeddings: Literal["frozen", "tuned"]
    cell: CellName
    hidden_size: Positive
    attention_size: Positive
    ngram_buckets: Positive
    longest_ngram: Positive
    input_dropout: Share
    dropout: Share
    label_smoothing: Share


class ClassifierTrain(Train):
    """Training settings, with the weighting of labels."""

    class_weighting: Literal["none", "balanced"]


class AttentiveEvaluate(EvaluateTexts):
    """Evaluation settings, with the number of texts whose attention is shown."""

    shown: Positive


class CharactersTask(TextTask):
    """Text -> label, by its characters."""

    kind: Literal["classification"]
    units: Literal["characters"]
    data: PlainData
    prepare: CharactersPrepare
    model: ClassifierModel
    train: ClassifierTrain
    export: Export
    evaluate: EvaluateTexts
    serve: Serve
    examples: Texts


class SubwordsTask(TextTask):
    """Text -> label, by its subwords."""

    kind: Literal["classification"]
    units: Literal["subwords"]
    data: PlainData
    prepare: SubwordsPrepare
    model: AttentiveModel
    train: ClassifierTrain
    export: Export
    evaluate: AttentiveEvaluate
    serve: Serve
    examples: Texts


class WordsTask(TextTask):
    """Text -> label, by its words."""

    kind: Literal["classification"]
    units: Literal["words"]
    data: TaskData
    prepare: WordsPrepare
    model: AttentiveModel
    train: ClassifierTrain
    export: Export
    evaluate: AttentiveEvaluate
    serve: Serve
    examples: Texts


ClassificationTask = CharactersTask | SubwordsTask | WordsTask
BLOCK = Annotated[ClassificationTask, Field(discriminator="units")]
