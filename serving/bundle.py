"""A bundle: the folder that the export stage writes and a predictor loads."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.text.vectors import NGRAMS, PROVENANCE, SUBWORDS, VECTORS, VOCABULARY

MANIFEST: Final = "bundle.json"
TOKENIZER: Final = "tokenizer.json"
GRAPH: Final = "model.onnx"

Kind = Literal["classification", "generation", "translation", "vectors"]
FILES: Final[dict[Kind, tuple[str, ...]]] = {
    "classification": (TOKENIZER, GRAPH),
    "generation": (TOKENIZER, GRAPH),
    "translation": (TOKENIZER, GRAPH),
    "vectors": (),
}
VECTOR_FILES: Final = {VECTORS, VOCABULARY, PROVENANCE}  # in the folder of each method of word vectors
SUBWORD_FILES: Final = {NGRAMS, SUBWORDS}  # beside them, of fastText's vectors alone
CONTEXT, CHARACTERS = "context.onnx", "characters.json"  # of vectors beside which there are contextual ones
CONTEXT_FILES: Final = {CONTEXT, CHARACTERS}

NumBeams = Annotated[int, Field(ge=1, le=10)]
Penalty = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
MinLength = Annotated[int, Field(ge=0, le=512)]
NgramSize = Annotated[int, Field(ge=0, le=16)]
LengthNormalization = Literal["length", "wu"]
Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
FileName = Annotated[str, Field(pattern=r"^(\w[\w.-]*/)?\w[\w.-]*$")]  # a manifest cannot point outside of its folder
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleError(Exception):
    """The folder is no bundle, or not the one that was written. The message names the file."""


class Decoding(BaseModel):
    """How a translator searches where a request does not say.

    Attributes:
        num_beams: width of the beam.
        length_normalization: scores are divided by n**alpha, n being the length, or as by Wu et al. 2016 by ((5 + n) / 6)**alpha.
        length_penalty: alpha; 0 leaves scores as they are.
        coverage_penalty: weight of the penalty for parts of the source that got little attention (Wu et al. 2016).
        min_length: fewest subwords.
        no_repeat_ngram_size: no n-gram of so many subwords comes twice; 0: any may.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_beams: NumBeams = 5
    length_normalization: LengthNormalization = "length"
    length_penalty: Penalty = 1.0
    coverage_penalty: Penalty = 0.0
    min_length: MinLength = 0
    no_repeat_ngram_size: NgramSize = 0


class Bundle(BaseModel):
    """What `bundle.json` says about the model beside it.

    Attributes:
        task: the name of the task: "surname", "names", "fr-en", "sentiment" or "vectors".
        kind: decides which files there are, the graphs' signatures and the shape of the answers.
        labels: the classes in the order of the logits; for generation the conditions in the order of their ids.
        methods: the methods of word vectors, each with a folder of its name; a question is answered by the first whose vectors
            have all of its words. Vectors only.
        max_length: the longest input in tokenizer ids, BOS and EOS not counted; for generation the longest name; for vectors
            the longest word that one may ask for, in characters.
        max_words: the longest sentence that one may ask contextual vectors of; only with the files of these.
        decoding: the defaults of beam search; translation only.
        temperature: by which a classifier's logits are divided to be calibrated; 1 for the other kinds.
        files: sha256 of each file by its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    kind: Kind
    labels: tuple[str, ...] = ()
    methods: tuple[Name, ...] = ()
    max_length: int = Field(ge=1)
    max_words: int | None = Field(default=None, ge=1)
    decoding: Decoding | None = None
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    files: dict[FileName, Sha256]

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if (self.decoding is not None) != (self.kind == "translation"):
            raise ValueError("`decoding` belongs to a translation bundle, and to no other")
        if bool(self.labels) != (self.kind in ("classification", "generation")) or len(set(self.labels)) != len(self.labels):
            raise ValueError("`labels` are distinct; classification and generation have at least one, the other kinds none")
        if bool(self.methods) != (self.kind == "vectors") or len(set(self.methods)) != len(self.methods):
            raise ValueError("`methods` are distinct; a vectors bundle has at least one, the other kinds none")
        if self.temperature != 1 and self.kind != "classification":
            raise ValueError("`temperature` belongs to a classification bundle, and to no other")
        missing = self._needed() - self.files.keys()
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))} is missing")
        if self.max_words is None and CONTEXT in self.files:
            raise ValueError(f"`max_words` is missing, which {CONTEXT} needs")
        return self

    def _needed(self) -> set[str]:
        """The files without which the bundle is not whole."""
        needed = {*FILES[self.kind], *(CONTEXT_FILES if self.max_words is not None else ())}
        for method in self.methods:
            subwords = {f"{method}/{name}" for name in SUBWORD_FILES}
            needed |= {f"{method}/{name}" for name in VECTOR_FILES}
            if not subwords.isdisjoint(self.files):
                needed |= subwords  # with one of them alone, the vectors would pass for others that have no n-grams
        return needed

    @classmethod
    def write(
        cls,
        folder: Path,
        *,
        task: str,
        kind: Kind,
        max_length: int,
        max_words: int | None = None,
        labels: tuple[str, ...] = (),
        methods: tuple[str, ...] = (),
        decoding: Decoding | None = None,
        temperature: float = 1.0,
    ) -> Self:
        """Describe the files of the model that lie in `folder`, and every file beside and below them, in `bundle.json`.

        Raises:
            BundleError: a file of this kind of bundle is missing, or the description contradicts itself.
        """
        found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        files = {name: sha256(path) for name, path in found.items() if name != MANIFEST}
        limits = {"max_length": max_length, "max_words": max_words}
        content: dict[str, Any] = {"task": task, "kind": kind, "labels": labels, "methods": methods, **limits}
        content |= {"decoding": decoding, "temperature": temperature}
        try:
            bundle = cls(**content, files=files)
        except ValidationError as error:
            raise BundleError(f"{folder}: {first_message(error)}") from error
        (folder / MANIFEST).write_text(bundle.model_dump_json(indent=1, exclude_none=True) + "\n", encoding="utf-8")
        return bundle

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `bundle.json` and compare every file with its recorded sha256, before anything else opens it.

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

    def of_kind(self, kind: Kind) -> Self:
        """The bundle itself, if it is of this kind.

        Raises:
            BundleError: it is of another.
        """
        if self.kind != kind:
            raise BundleError(f'"{self.task}" is a {self.kind} bundle, where a {kind} bundle is needed')
        return self


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_message(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, with the key where it was found."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
