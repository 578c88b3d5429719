"""The model archives (.mar) of a store, as much of them as the control of a server needs to know."""

import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import yaml

from serving import cpu
from serving.bundle import MANIFEST, Bundle, Kind, sha256
from serving.package import CONFIG, DEADLINE, EXAMPLE_LIST, EXAMPLES, SHA256, Example
from serving.server.errors import ControlError

MAR_MANIFEST = "MAR-INF/MANIFEST.json"
SHOWN = 300  # characters of a request or an answer in a message


@dataclass(frozen=True)
class Archive:
    """A model as it will be served.

    Attributes:
        path: the archive.
        name: the model's in URLs: that of the file as it was packaged.
        task: that of its bundle.
        kind: the same.
        version: which no other model has.
        workers: processes that it is to have.
        deadline_s: how long it works on a request at most.
        examples: requests and the model's own answers, one at least: the first is the one to show.
    """

    path: Path
    name: str
    task: str
    kind: Kind
    version: str
    workers: int
    deadline_s: float
    examples: Sequence[Example]

    @classmethod
    def read(cls, path: Path) -> Self:
        """What an archive holds.

        Raises:
            ControlError: it cannot be served; the message names it.
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
        # Of the contents: LookupError where something is missing, ValueError and TypeError where it is not what it should be.
        except (OSError, zipfile.BadZipFile, LookupError, ValueError, TypeError) as error:
            raise ControlError(f"{path} is not a model archive of this project, or a damaged one; package it anew") from error

    def wrong_here(self, example: Example, answer: object) -> str:
        """What to say, in one line, where the model answers one of the examples with something else than the archive says.

        Args:
            example: one of the archive's.
            answer: what came in place of the example's.
        """
        stage = "export-vectors" if self.kind == "vectors" else f"export@{self.task}"
        anew = f"export it anew here: `dvc repro --force --single-item {stage} package@{self.task}`"
        exact = f", or use float32: {self.task}.export.weights=float32" if self.kind == "translation" else ""
        request, said, known = (_short(value) for value in (example.request, answer, example.answer))
        return (
            f"{self.name}: its known answers do not come out on this machine ({cpu.described()}): {anew}{exact}. "
            f"It answered {request} with {said}, where its archive says {known}"
        )


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def find_archives(store: Path) -> list[Archive]:
    """Every model archive of the folder, by name.

    Raises:
        ControlError: there is none, or one of them cannot be served; the message names it.
    """
    archives = [Archive.read(path) for path in sorted(store.glob("*.mar"))]
    if not archives:
        raise ControlError(f"there is no model archive in {store}; run `make repro` first")
    return archives


def take(archive: Path, store: Path) -> Archive:
    """Copy an archive into a server's own store, if it is the one that was packaged; nobody can change it after the check.

    There its file has the version in its name, so that TorchServe tells it from others of the same model.

    Raises:
        ControlError: its sha256 is not known, or another.
    """
    recorded, copy = archive.with_suffix(SHA256), store / f"{archive.name}.part"
    if not recorded.is_file():
        raise ControlError(f"{recorded} is missing, which says what {archive.name} has to be; package it anew")
    shutil.copyfile(archive, copy)
    if recorded.read_text(encoding="utf-8").split()[:1] != [sha256(copy)]:
        copy.unlink()
        raise ControlError(f"{archive} is not the archive that was packaged: its sha256 differs from the one in {recorded.name}")
    found = Archive.read(copy)
    path = copy.rename(store / f"{archive.stem}-{found.version}.mar")
    return replace(found, path=path, name=archive.stem)
