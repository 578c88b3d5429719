"""params.yaml as one typed, validated object."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from pipelines.kinds.blocks import task_block
from pipelines.settings.cluster import Cluster
from pipelines.settings.corpora import Comovers, Corpus, Stream
from pipelines.settings.errors import closest, explained
from pipelines.settings.gate import Gate, Retraining
from pipelines.settings.section import NONE, Count, Section
from pipelines.settings.tasks import Task
from pipelines.settings.vectors import ROLES, ComovementQuestions, Method, Vectors
from pipelines.stage import StageError

# Name of a task, corpus, method or word vectors: part of URLs, paths and DVC stage names.
Name = Annotated[str, StringConstraints(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
Block = TypeVar("Block")
Kind = TypeVar("Kind", bound=Section)
Settings = TypeVar("Settings", bound=Section)


if TYPE_CHECKING:
    TaskBlock = Task
else:
    TaskBlock = task_block()


class Params(Section):
    """All of params.yaml."""

    datasets: list[str]
    seed: Count
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "fp32", "bf16"]
    cluster: Cluster
    gate: Gate
    retraining: Retraining
    tasks: Annotated[dict[Name, TaskBlock], Field(min_length=1)]
    corpora: dict[Name, Corpus]
    methods: dict[Name, Method]
    vectors: dict[Name, Vectors]

    @model_validator(mode="after")
    def _names_what_there_is(self) -> Self:
        """Check that all references within the file resolve, and that names are unique."""
        paths = self._method_paths()
        for name, task in self.tasks.items():
            _choose_for(f"tasks.{name}.data.set", task.data.set, self.datasets)
            _choose_for(f"tasks.{name}.data.vectors", task.data.vectors, [NONE, *paths])
        for name, one in self.corpora.items():
            _choose_for(f"corpora.{name}.data.set", one.data.set, self.datasets)
        for name, method in self.methods.items():
            place, _, data = method.data.partition("/")
            _choose_for(f"methods.{name}.data", data, self.corpora if place == "prepared" else self.datasets)
            _choose_for(f"methods.{name}.vectors", method.vectors, self.vectors)
        for name, served in self.vectors.items():
            _choose_for(f"vectors.{name}.evaluate.corpus", served.evaluate.corpus, self.corpora)
            _choose_for(f"vectors.{name}.evaluate.set", served.evaluate.set, self.datasets)
            for role, algorithms in ROLES.items():
                able = [path for path, method in paths.items() if method.algorithm in algorithms]
                _choose_for(f"vectors.{name}.export.{role}", getattr(served.export, role), [NONE, *able])
        for names in ([*self.tasks, *self.vectors, *self.methods], [*self.tasks, *self.corpora, *self.methods]):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(
                    f"{', '.join(twice)}: the name is used twice; tasks, methods, corpora and vectors "
                    "need unique names, but vectors may share the name of their corpus"
                )
        return self

    @model_validator(mode="after")
    def _judges_by_days_that_no_corpus_has(self) -> Self:
        for name, served in self.vectors.items():
            judged = served.evaluate
            learned = {method.data.partition("/")[2] for method in self.methods_of(name).values()}
            for corpus, block in self.corpora.items():
                if not isinstance(judged, ComovementQuestions) or not isinstance(block, Comovers) or corpus not in learned:
                    continue
                if block.prepare.until > judged.until:
                    raise ValueError(
                        f"vectors.{name}.evaluate.until is {judged.until}, and corpora.{corpus}.prepare.until is "
                        f"{block.prepare.until}: the vectors would be evaluated on days that they were trained on"
                    )
        return self

    def _method_paths(self) -> dict[str, Method]:
        return {f"{method.vectors}/{name}": method for name, method in self.methods.items()}

    @property
    def names(self) -> list[str]:
        """Names of all tasks, corpora, methods and word vectors."""
        return [*self.tasks, *self.corpora, *self.methods, *self.vectors]

    @property
    def served(self) -> list[str]:
        """Names of all models that are packaged."""
        return [*self.tasks, *self.vectors]

    def task(self, name: str) -> Task:
        """The block of one task. Raises StageError for an unknown name, with the closest valid one."""
        return _choose("task", name, self.tasks)

    def task_of(self, name: str, kind: type[Kind]) -> Kind:
        """The block of one task of this kind. Raises StageError like `task`, and for a task of another kind."""
        task = self.task(name)
        if not isinstance(task, kind):
            raise StageError(f"the task {name!r} has the kind {task.kind}, but another kind is needed here")
        return task

    def corpus(self, name: str) -> Corpus:
        """The block of one corpus. Raises StageError like `task`."""
        return _choose("corpus", name, self.corpora)

    def order(self, corpus: str) -> int:
        """The order n of the n-grams of a corpus. Raises StageError if its form is not stream."""
        found = self.corpus(corpus)
        if not isinstance(found, Stream):
            raise StageError(f"an n-gram model needs a corpus of form stream, but {corpus!r} has another form")
        return found.prepare.order

    def method(self, name: str) -> Method:
        """The block of one method for word vectors. Raises StageError like `task`."""
        return _choose("method", name, self.methods)

    def word_vectors(self, name: str) -> Vectors:
        """The block of word vectors that are compared and served. Raises StageError like `task`."""
        return _choose("block of vectors", name, self.vectors)

    def methods_of(self, vectors: str) -> dict[str, Method]:
        """The methods that a block of vectors compares."""
        return {name: method for name, method in self.methods.items() if method.vectors == vectors}

    def described(self, name: str) -> tuple[Section, list[str]]:
        """The settings of a task, method or block of word vectors, and the ids of its data sets.

        Raises:
            StageError: the name is unknown.
        """
        if name in self.tasks:
            task = self.tasks[name]
            pretrained = [] if task.data.vectors == NONE else [self._dataset(self._method_paths()[task.data.vectors])]
            return task, [task.data.set, *pretrained]
        if name in self.vectors:
            served = self.vectors[name]
            return served, sorted({served.evaluate.set, *map(self._dataset, self.methods_of(name).values())})
        return self.method(name), [self._dataset(self.method(name))]

    def _dataset(self, method: Method) -> str:
        kind, _, name = method.data.partition("/")
        return name if kind == "raw" else self.corpus(name).data.set


def _choose(kind: str, name: str, blocks: Mapping[str, Block]) -> Block:
    if name not in blocks:
        raise StageError(f"there is no {kind} {name!r}{closest(name, blocks)}")
    return blocks[name]


def _choose_for(key: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        raise ValueError(f"{key} refers to {name!r}, which does not exist{closest(name, names)}")


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the file. Raises StageError like `read_settings`."""
    return read_settings(path, Params)


def read_settings(path: Path, block: type[Settings]) -> Settings:
    """Read a YAML file and check it against the types of a block.

    Raises:
        StageError: the file is invalid; the message gives each wrong key in full with the allowed values, or the closest valid
            key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return checked(content, block, str(path))


def checked(content: object, block: type[Settings], source: str) -> Settings:
    """Check parsed content against the types of a block. Raises StageError like `read_settings`, prefixed with the source."""
    try:
        return block.model_validate(content)
    except ValidationError as error:
        raise StageError(f"{source}: " + explained(error, block)) from error


def flat(block: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A block's values, each with its path of keys joined by dots."""
    for name, value in block.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
