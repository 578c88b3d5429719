"""params.yaml as typed, validated objects."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.stage import StageError

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0)]


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


class Params(Section):
    """All of params.yaml."""

    datasets: list[str]
    seed: Count
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    surname: SurnameTask
    names: NamesTask
    fr_en: Annotated[TranslationTask, Field(alias="fr-en")]

    def task(self, name: str) -> Task:
        """The block of one task. Raises StageError, with the closest name, for an unknown one."""
        tasks: dict[str, Task] = {"surname": self.surname, "names": self.names, "fr-en": self.fr_en}
        if name not in tasks:
            raise StageError(f"there is no task {name!r}{closest(name, tasks)}")
        return tasks[name]


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
