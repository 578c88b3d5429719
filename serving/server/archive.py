"""The model archives (.mar) of a store, as much of them as the control of a server needs to know."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from models.text.vectors import VOCABULARY
from serving.bundle import MANIFEST, Bundle, Kind
from serving.server.errors import ControlError

# A text that a task, or else every model of a kind, can answer. What word vectors can answer, their vocabulary says.
EXAMPLES = {
    "sentiment": "A warm, funny and beautifully acted film.",
    "classification": "Rossi",
    "generation": "Ma",
    "translation": "Un chien court dans la neige.",
}


@dataclass(frozen=True)
class Archive:
    """A model as it will be served: under its file's name.

    Attributes:
        path: the archive.
        kind: that of its bundle.
        text: one that it can answer, for the readiness probe and the ready-made curl line.
    """

    path: Path
    kind: Kind
    text: str

    @property
    def name(self) -> str:
        """The model's name in URLs."""
        return self.path.stem

    @property
    def example(self) -> dict[str, str]:
        """The body of a request that the model answers with 200."""
        return {"inputs": self.text}


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
            bundle = Bundle.model_validate_json(archive.read(MANIFEST))
            text = EXAMPLES.get(bundle.task, EXAMPLES.get(bundle.kind))
            return Archive(path, bundle.kind, text or json.loads(archive.read(VOCABULARY))["words"][0])
    except (zipfile.BadZipFile, LookupError, ValueError) as error:  # ValueError: JSON that is none, or no manifest
        raise ControlError(f"{path} is not a model archive of this project, or a damaged one; package it anew") from error
