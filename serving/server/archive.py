"""The model archives (.mar) of a store, as much of them as the control of a server needs to know."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from serving.bundle import MANIFEST, Bundle, Kind
from serving.server.errors import ControlError

# A text that every model of the kind can answer, for the readiness probe and the ready-made curl line.
EXAMPLES: dict[Kind, str] = {"classification": "Rossi", "generation": "Ma", "translation": "Un chien court dans la neige."}


@dataclass(frozen=True)
class Archive:
    """A model as it will be served: under its file's name."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        """The model's name in URLs."""
        return self.path.stem

    @property
    def example(self) -> dict[str, str]:
        """The body of a request that the model answers with 200."""
        return {"inputs": EXAMPLES[self.kind]}


def find_archives(store: Path) -> list[Archive]:
    """Every model archive of the folder, by name.

    Raises:
        ControlError: there is none, or one of them cannot be served; the message names it.
    """
    archives = [_read(path) for path in sorted(store.glob("*.mar"))]
    if not archives:
        raise ControlError(f"there is no model archive in {store}; run `make repro` first")
    return archives


def _read(path: Path) -> Archive:
    try:
        with zipfile.ZipFile(path) as archive:
            return Archive(path, Bundle.model_validate_json(archive.read(MANIFEST)).kind)
    except (zipfile.BadZipFile, KeyError, ValidationError) as error:
        raise ControlError(f"{path} is not a model archive of this project, or a damaged one; package it anew") from error
