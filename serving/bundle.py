"""A bundle: the folder that the export stage writes and a predictor loads."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.names import ForecastLossName
from models.text.vectors import NGRAMS, PROVENANCE, SUBWORDS, VECTORS, VOCABULARY
from serving.endpoints.kinds import contract

MANIFEST: Final = "bundle.json"
TOKENIZER: Final = "tokenizer.json"
GRAPH: Final = "model.onnx"
CASE: Final = "case.json"

VECTOR_FILES: Final = {VECTORS, VOCABULARY, PROVENANCE}  # in the folder of each word-vector method
SUBWORD_FILES: Final = {NGRAMS, SUBWORDS}  # in the same folder, for fastText only
CONTEXT, CHARACTERS = "context.onnx", "characters.json"  # in bundles that also have contextual vectors
CONTEXT_FILES: Final = {CONTEXT, CHARACTERS}
# Manifest fields that only some kinds of bundle have.
OPTIONAL: Final = ("labels", "methods", "max_words", "max_sentences", "language", "decoding", "temperature", "forecast", "orders")

NumBeams = Annotated[int, Field(ge=1, le=10)]
Penalty = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
MinLength = Annotated[int, Field(ge=0, le=512)]
NgramSize = Annotated[int, Field(ge=0, le=16)]
LengthNormalization = Literal["length", "wu"]
Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
FileName = Annotated[str, Field(pattern=r"^(\w[\w.-]*/)?\w[\w.-]*$")]  # a manifest cannot point outside its folder
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleError(Exception):
    """The folder is not a valid bundle, or it was changed after it was written. The message names the file."""


class Decoding(BaseModel):
    """A translator's default settings of beam search; a request can override each of them.

    Attributes:
        num_beams: width of the beam.
        length_normalization: "length" divides scores by n**alpha for length n, "wu" by ((5 + n) / 6)**alpha (Wu et al. 2016).
        length_penalty: alpha; 0 leaves scores unchanged.
        coverage_penalty: weight of the penalty for parts of the source that got little attention (Wu et al. 2016).
        min_length: minimum number of subwords.
        no_repeat_ngram_size: n-grams of this many subwords must not repeat; 0 disables the check.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_beams: NumBeams = 5
    length_normalization: LengthNormalization = "length"
    length_penalty: Penalty = 1.0
    coverage_penalty: Penalty = 0.0
    min_length: MinLength = 0
    no_repeat_ngram_size: NgramSize = 0


class Forecast(BaseModel):
    """What a forecaster's graph computes, and how far actual values were from its forecasts.

    Attributes:
        loss: the loss that it was trained with. With qlike the forecasts are means, with quantile quantiles, with event
            probabilities.
        levels: quantile levels, ascending.
        ratios: quantiles of actual value / forecast mean, at evenly spaced levels between 0 and 1; one row per horizon.
        mean: mean of a quantity that may be negative, per horizon; forecasts are standardized with it and `deviation`.
        deviation: standard deviation of such a quantity, per horizon.
        attention: whether the graph has attention over the days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: ForecastLossName
    levels: tuple[float, ...] = ()
    ratios: tuple[tuple[float, ...], ...] = ()
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    attention: bool


class OrderLimits(BaseModel):
    """Limits of the orders that a scheduler accepts. It refuses orders that it was not trained for.

    Attributes:
        longest: longest horizon, in days; the shortest is one day.
        most_share: largest order, as a share of the volume expected over the horizon.
        most_aversion: highest risk aversion; the lowest is 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    longest: int = Field(ge=1)
    most_share: float = Field(gt=0, le=1)
    most_aversion: float = Field(gt=0, allow_inf_nan=False)


class Bundle(BaseModel):
    """The manifest `bundle.json`, which describes the model in the same folder.

    Attributes:
        task: name of the task.
        kind: kind of model; it determines the files, the graphs' signatures, the shape of the answers, and which of the
            following fields are present.
        labels: the classes in the order of the logits; for generation, the conditions in the order of their ids.
        methods: the word-vector methods, each with a folder of the same name. The first method whose vectors cover all words
            of a question answers it.
        max_length: longest input in tokenizer ids, without BOS and EOS. For translation: longest sentence; for generation:
            longest name; for forecasting and scheduling: longest series, in times; for vectors: longest word, in characters.
        max_words: longest sentence for contextual vectors, in words; only if the bundle has their files.
        max_sentences: longest text that is translated, in sentences.
        language: source language of a translator, as a BCP 47 tag.
        decoding: default settings of beam search.
        forecast: what a forecaster's graph computes.
        orders: limits of the orders that a scheduler accepts.
        temperature: divides a classifier's logits to calibrate them.
        files: sha256 of each file, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    kind: str
    labels: tuple[str, ...] = ()
    methods: tuple[Name, ...] = ()
    max_length: int = Field(ge=1)
    max_words: int | None = Field(default=None, ge=1)
    max_sentences: int | None = Field(default=None, ge=1)
    language: str | None = None
    decoding: Decoding | None = None
    forecast: Forecast | None = None
    orders: OrderLimits | None = None
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    files: dict[FileName, Sha256]

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        rules = contract(self.kind)
        for name in OPTIONAL:
            said = getattr(self, name) != type(self).model_fields[name].default
            if name in rules.NEEDED and not said:
                raise ValueError(f"`{name}` is missing; a {self.kind} bundle needs it")
            if said and name not in (*rules.NEEDED, *rules.ALLOWED):
                raise ValueError(f"`{name}` does not belong to a {self.kind} bundle")
        for names in (self.labels, self.methods):
            if len(set(names)) != len(names):
                raise ValueError(f"{', '.join(sorted({name for name in names if names.count(name) > 1}))} is duplicated")
        missing = self._needed() - self.files.keys()
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))} is missing")
        if self.max_words is None and CONTEXT in self.files:
            raise ValueError(f"`max_words` is missing; {CONTEXT} needs it")
        return self

    def _needed(self) -> set[str]:
        """The files that the bundle must have."""
        needed = {*contract(self.kind).FILES, *(CONTEXT_FILES if self.max_words is not None else ())}
        for method in self.methods:
            subwords = {f"{method}/{name}" for name in SUBWORD_FILES}
            needed |= {f"{method}/{name}" for name in VECTOR_FILES}
            if not subwords.isdisjoint(self.files):
                needed |= subwords  # with only one of them, the vectors would be loaded as vectors without n-grams
        return needed

    @classmethod
    def write(
        cls,
        folder: Path,
        *,
        task: str,
        kind: str,
        max_length: int,
        max_words: int | None = None,
        max_sentences: int | None = None,
        language: str | None = None,
        labels: tuple[str, ...] = (),
        methods: tuple[str, ...] = (),
        decoding: Decoding | None = None,
        forecast: Forecast | None = None,
        orders: OrderLimits | None = None,
        temperature: float = 1.0,
    ) -> Self:
        """Write `bundle.json` for the model in `folder`, with the sha256 of every file in and below it.

        Raises:
            BundleError: a file that this kind of bundle needs is missing, or the description is inconsistent.
        """
        found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        files = {name: sha256(path) for name, path in found.items() if name != MANIFEST}
        limits = {"max_length": max_length, "max_words": max_words, "max_sentences": max_sentences}
        content: dict[str, Any] = {"task": task, "kind": kind, "labels": labels, "methods": methods, **limits}
        content |= {"language": language, "decoding": decoding, "temperature": temperature}
        content |= {"forecast": forecast, "orders": orders}
        try:
            bundle = cls(**content, files=files)
        except ValidationError as error:
            raise BundleError(f"{folder}: {first_message(error)}") from error
        (folder / MANIFEST).write_text(bundle.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
        return bundle

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `bundle.json` and check every file against its recorded sha256 before anything else opens it.

        Raises:
            BundleError: the manifest is missing or invalid, or a file is missing or has changed.
        """
        manifest = folder / MANIFEST
        if not manifest.is_file():
            raise BundleError(f"{manifest} is missing; the export stage writes it")
        try:
            bundle = cls.model_validate_json(manifest.read_bytes())
        except ValidationError as error:
            raise BundleError(f"{manifest}: {first_message(error)}") from error
        for name, expected in bundle.files.items():
            if not (folder / name).is_file():
                raise BundleError(f"{folder / name} is missing; {MANIFEST} lists it")
            if sha256(folder / name) != expected:
                raise BundleError(
                    f"{folder / name} is not the file that was exported: its sha256 differs from the one in {MANIFEST}"
                )
        return bundle

    def of_kind(self, kind: str) -> Self:
        """The bundle itself, if it is of this kind.

        Raises:
            BundleError: it is of another kind.
        """
        if self.kind != kind:
            raise BundleError(f'"{self.task}" is a {self.kind} bundle; a {kind} bundle is needed')
        return self


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_message(error: ValidationError) -> str:
    """The first validation error that pydantic found, with its key."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
