"""params.yaml as one typed, validated object."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError

from pipelines.settings.cluster import Cluster
from pipelines.settings.corpora import Brown, Reviews
from pipelines.settings.section import Count, Section
from pipelines.settings.tasks import NamesTask, SentimentTask, SurnameTask, Task, TranslationTask
from pipelines.settings.vectors import Method, Vectors
from pipelines.stage import StageError

RELATIONS = "word-relations"  # the data set that word vectors are asked about
Source = Task | Reviews | Brown
Block = TypeVar("Block")
Settings = TypeVar("Settings", bound=Section)


class Params(Section):
    """All of params.yaml."""

    datasets: list[str]
    seed: Count
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    cluster: Cluster
    surname: SurnameTask
    names: NamesTask
    fr_en: Annotated[TranslationTask, Field(alias="fr-en")]
    sentiment: SentimentTask
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
            task = self.task(name)
            pretrained = [self._dataset(self.vectors.methods.glove_6b)] if isinstance(task, SentimentTask) else []
            return task, [task.dataset, *pretrained]
        if name == "vectors":
            return self.vectors, sorted({RELATIONS, *map(self._dataset, self.methods().values())})
        return self.method(name), [self._dataset(self.method(name))]

    def _dataset(self, method: Method) -> str:
        kind, _, name = method.data.partition("/")
        return name if kind == "raw" else self.source(name).dataset

    def _tasks(self) -> dict[str, Task]:
        return {"surname": self.surname, "names": self.names, "fr-en": self.fr_en, "sentiment": self.sentiment}


def _choose(kind: str, name: str, blocks: Mapping[str, Block]) -> Block:
    if name not in blocks:
        raise StageError(f"there is no {kind} {name!r}{closest(name, blocks)}")
    return blocks[name]


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the file. Raises StageError like `read_settings`."""
    return read_settings(path, Params)


def read_settings(path: Path, block: type[Settings]) -> Settings:
    """Read a YAML file and check it against the types of a block.

    Raises:
        StageError: names each wrong key in full, what is allowed there, and the closest valid key to an unknown one.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return checked(content, block, str(path))


def checked(content: object, block: type[Settings], source: str) -> Settings:
    """Check what was read against the types of a block. Raises StageError like `read_settings`, which begins with the source."""
    try:
        return block.model_validate(content)
    except ValidationError as error:
        raise StageError(f"{source}: " + "; ".join(_explain(dict(e), block) for e in error.errors())) from error


def flat(block: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A block's values, each with its keys joined by dots."""
    for name, value in block.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def closest(name: str, valid: Any) -> str:
    """A hint to append to a message about a wrong name: the nearest valid one, and all of them."""
    near = get_close_matches(str(name), list(valid), n=1, cutoff=0.4)
    return (f"; did you mean {near[0]!r}?" if near else "") + f" (valid: {', '.join(valid)})"


def _explain(error: dict[str, Any], block: type[Section]) -> str:
    """One problem as a phrase."""
    keys = [str(key) for key in error["loc"]]
    where = ".".join(keys)
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}{closest(keys[-1], _keys_at(block, keys[:-1]))}"
    if error["type"] == "missing":
        return f"key {where!r} is missing"
    if error["type"] == "literal_error":
        hint = f"must be {error['ctx']['expected']}"
    else:
        hint = error["msg"][0].lower() + error["msg"][1:]
    return f"{where} = {error['input']!r}: {hint}"


def _keys_at(block: Any, path: list[str]) -> list[str]:
    """The valid keys of what is at `path` in the block."""
    for key in path:
        fields = {field.alias or name: field for name, field in block.model_fields.items()}
        block = fields[key].annotation  # a plain Section: no block is optional or one of several
    return [field.alias or name for name, field in block.model_fields.items()]
