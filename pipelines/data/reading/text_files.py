"""Reads lines of a UTF-8 text file, with or without a byte order mark, plain or compressed with gzip."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipelines.stage import StageError

LONGEST: Final = 1_000_000  # characters of a line, or of a field


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file, with their original line endings; one is in memory at a time.

    Raises:
        StageError: a line is not UTF-8, contains a NUL, or is longer than LONGEST; the message has its number.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        number = 0
        while raw := file.readline(4 * LONGEST + 1):
            number += 1
            yield _decoded(raw, path, number)


def _decoded(raw: bytes, path: Path, number: int) -> str:
    where = f"{path}, line {number}"
    try:
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        if len(raw) > 4 * LONGEST:
            raise _too_long(where) from error
        name = path.name.removesuffix(".gz")
        advice = f"convert the file, for example: iconv -f ISO-8859-1 -t UTF-8 {name} > utf8-{name}"
        raise StageError(f"{where}: byte {raw[error.start]:#04x} is not UTF-8; {advice}") from error
    if "\0" in line:
        raise StageError(f"{where}: the line contains a NUL character; remove it, or check that this is a text file")
    if len(line) > LONGEST:
        raise _too_long(where)
    return line


def _too_long(where: str) -> StageError:
    return StageError(f"{where}: the line is longer than {LONGEST:,} characters")
