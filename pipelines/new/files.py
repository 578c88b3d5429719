"""Describes a data file for the catalogue: its location, size and sha256."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from pipelines.data.fetch import TIMEOUT, mirrored, pack
from pipelines.stage import StageError, first_cause

PIECE = 1 << 20


@dataclass(frozen=True)
class FoundFile:
    """A file that was found.

    Attributes:
        name: its name in the data set's folder.
        path: the file or folder itself, or the downloaded copy of a URL.
        entry: its entry for the catalogue.
    """

    name: str
    path: Path
    entry: dict[str, Any]


def look_at(place: str, scratch: Path) -> FoundFile:
    """Find a file or folder, or download a URL.

    Args:
        place: a path or an https URL.
        scratch: a folder for the URL's content.

    Raises:
        StageError: it does not exist, or it is empty.
    """
    if place.startswith("https://"):
        path = scratch / place.partition("?")[0].rstrip("/").rpartition("/")[2]
        _download(place, path)
        source: dict[str, Any] = {"kind": "https", "url": place}
    elif "://" in place:
        raise StageError(f"{place}: only https URLs are supported; download the file yourself")
    else:
        path = Path(place).expanduser()
        source = {"kind": "local", "path": str(path if path.is_absolute() else Path(*path.parts))}
    if not path.exists():
        raise StageError(f"{place}: there is no such file")
    size, sha256 = measured(path)
    if not size:
        raise StageError(f"{place} is empty")
    known = {"size": size, "sha256": sha256, "sources": [source]}
    if path.is_dir():
        folder = path.resolve().name
        return FoundFile(folder, path, {"name": f"{_plain(folder)}.tar", "members": [f"{folder}/*/*"], **known})
    return FoundFile(_plain(path.name), path, {"name": _plain(path.name), **known})


def _plain(name: str) -> str:
    """A file's name with characters that the catalogue does not allow, such as white space, replaced."""
    return re.sub(r"[^\w.+-]", "-", name).lstrip("-.+") or "data"


def measured(path: Path) -> tuple[int, str]:
    """The size in bytes and the sha256 of a file, or of a folder's archive as the download stage packs it."""
    if path.is_dir():
        with TemporaryDirectory() as scratch:
            archive = Path(scratch) / "folder.tar"
            pack(path, archive)
            return measured(archive)
    with path.open("rb") as content:
        return path.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest()


def _download(url: str, path: Path) -> None:
    place = mirrored(url)
    if isinstance(place, Path):
        if not place.is_file():
            raise StageError(f"{url}: DATA_MIRROR lacks it, {place} does not exist")
        path.write_bytes(place.read_bytes())
        return
    try:
        with requests.get(place, stream=True, timeout=TIMEOUT) as answer, path.open("wb") as file:
            answer.raise_for_status()
            for piece in answer.iter_content(PIECE):
                file.write(piece)
    except requests.RequestException as error:
        raise StageError(f"{url}: {first_cause(error)}") from error
