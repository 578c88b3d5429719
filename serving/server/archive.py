"""The model archives (.mar) of a store, as far as the control of a server needs them."""

import json
import shlex
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import yaml

from serving import cpu
from serving.bundle import MANIFEST, Bundle, sha256
from serving.contents import CONFIG, DEADLINE, EXAMPLE_LIST, EXAMPLES, SHA256, Example
from serving.server.errors import ControlError

MAR_MANIFEST = "MAR-INF/MANIFEST.json"
SHOWN = 300  # characters of a request or an answer in a message
TYPED = 500  # characters; curl reads a longer request from a file


@dataclass(frozen=True)
class Archive:
    """A packaged model.

    Attributes:
        path: path of the archive.
        name: the model's name in URLs, which is the name of the packaged file.
        task: the bundle's task.
        kind: the bundle's kind.
        version: unique version of the model.
        workers: number of worker processes.
        deadline_s: time limit for a request, in seconds.
        examples: requests with the model's own answers; at least one, and the first is the one to show.
    """

    path: Path
    name: str
    task: str
    kind: str
    version: str
    workers: int
    deadline_s: float
    examples: Sequence[Example]

    @property
    def body(self) -> str:
        """The first example's request, as JSON."""
        return json.dumps(self.examples[0].request, ensure_ascii=False)

    def data(self, folder: str) -> str:
        """The argument of curl's -d: the body itself, or the name of its file in a folder of examples."""
        return shlex.quote(self.body) if len(self.body) <= TYPED else f"@{folder}/{self.name}.json"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an archive.

        Raises:
            ControlError: the archive cannot be served; the message names it.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                bundle = Bundle.model_validate_json(archive.read(MANIFEST))
                version = str(json.loads(archive.read(MAR_MANIFEST))["model"]["modelVersion"])
                examples = EXAMPLE_LIST.validate_json(archive.read(EXAMPLES))
                config = yaml.safe_load(archive.read(CONFIG))
                workers, deadline_s = int(config["minWorkers"]), float(config[DEADLINE])
                shown = (examples[0], *examples[1:])
                return cls(path, path.stem, bundle.task, bundle.kind, version, workers, deadline_s, shown)
        # Content errors: LookupError for something missing, ValueError and TypeError for something invalid.
        except (OSError, zipfile.BadZipFile, LookupError, ValueError, TypeError) as error:
            raise ControlError(f"{path} is not a model archive of this project, or it is damaged; package it again") from error

    def wrong_here(self, example: Example, answer: object) -> str:
        """The message, in one line, for a model whose answer to an example differs from the expected one in the archive.

        Args:
            example: an example of the archive.
            answer: the model's answer.
        """
        after = "-vectors" if self.kind == "vectors" else ""  # suffix of the stages for vectors
        anew = f"export it again here: `dvc repro --force --single-item export{after}@{self.task} package{after}@{self.task}`"
        exact = f", or use float32: tasks.{self.task}.export.weights=float32" if self.kind == "translation" else ""
        request, said, known = (_short(value) for value in (example.request, answer, example.answer))
        return (
            f"{self.name}: the model does not give its expected answers on this machine ({cpu.described()}): {anew}{exact}. "
            f"It answered {request} with {said}; expected {known}"
        )


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def find_archives(store: Path) -> list[Archive]:
    """All model archives of a folder, sorted by name.

    Raises:
        ControlError: there is none, or one of them cannot be served; the message names it.
    """
    archives = [Archive.read(path) for path in sorted(store.glob("*.mar"))]
    if not archives:
        raise ControlError(f"there is no model archive in {store}; run `make repro` first")
    return archives


def take(archive: Path, store: Path) -> Archive:
    """Copy an archive into a server's own store and check the copy's sha256, so that it cannot change after the check.

    The copy has the version in its name, so that TorchServe can distinguish versions of the same model.

    Raises:
        ControlError: the sha256 is not known or differs.
    """
    recorded, copy = archive.with_suffix(SHA256), store / f"{archive.name}.part"
    if not recorded.is_file():
        raise ControlError(f"{recorded} with the sha256 of {archive.name} is missing; package it again")
    shutil.copyfile(archive, copy)
    if recorded.read_text(encoding="utf-8").split()[:1] != [sha256(copy)]:
        copy.unlink()
        raise ControlError(f"{archive} is not the archive that was packaged: its sha256 differs from the one in {recorded.name}")
    found = Archive.read(copy)
    path = copy.rename(store / f"{archive.stem}-{found.version}.mar")
    return replace(found, path=path, name=archive.stem)
