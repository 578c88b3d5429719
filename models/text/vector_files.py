"""Word vectors in the file formats of other tools: word2vec's text and binary formats, fastText's .vec, GloVe's text.

Each row has a word and its d values. GloVe's text begins with the first row, the others with a header line "V d".
The files have no counts, so the counts of a vocabulary read from them are 0.
"""

import mmap
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.text.vectors import WordVectors
from models.text.words import WordVocabulary

LONGEST_HEADER = 100  # bytes


class VectorFileError(ValueError):
    """An invalid file. The message names the file and the line or row, in one line."""


class _Header(NamedTuple):
    rows: int
    size: int


def read_text(path: Path) -> WordVectors:
    """Read the text format, with or without a header.

    Returns:
        The vectors. Of duplicate words only the first is kept; `provenance["duplicates_skipped"]` is the number skipped.

    Raises:
        VectorFileError: the file is empty or not UTF-8, its header is wrong, a row has more or fewer values than the others, or a
            value is not a finite number.
    """
    lines = _count_lines(path)
    with path.open("rb") as file:
        begin = _skip_mark(file)
        first = file.readline()
        header = _parse_header(first)
        if header is None:
            file.seek(begin)
        skipped = 0 if header is None else 1
        shape = header or _Header(lines, len(_fields(first)) - 1)
        if shape.rows != lines - skipped:
            raise VectorFileError(f"{path}, line 1: announces {shape.rows} rows, but {lines - skipped} follow")
        _check_size(path, shape, path.stat().st_size, smallest=2 * shape.size)  # a value is at least a space and a digit
        words, matrix = [], np.empty(shape, np.float32)
        with np.errstate(over="ignore"):  # values too large for float32 become infinite and are rejected below
            for row, line in enumerate(file):
                word, matrix[row] = _parse_row(line, shape.size, f"{path}, line {row + 1 + skipped}")
                words.append(word)
    return _vectors(path, words, matrix, lambda row: f"{path}, line {row + 1 + skipped}")


def read_binary(path: Path) -> WordVectors:
    """Read word2vec's binary format: after the header each word, a space, and d little-endian float32 values.

    Returns:
        As `read_text`.

    Raises:
        VectorFileError: the file is empty, its header is missing or wrong, a word is not UTF-8, or a value is not finite.
    """
    with path.open("rb") as file:
        _skip_mark(file)
        shape = _parse_header(file.readline(LONGEST_HEADER + 1))
        if shape is None:
            raise VectorFileError(f'{path}, line 1: not a header "rows size"')
        _check_size(path, shape, path.stat().st_size, smallest=2 + 4 * shape.size)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            words, matrix = _binary_rows(path, data, file.tell(), shape)
    return _vectors(path, words, matrix, lambda row: f"{path}, row {row + 1}")


def write_text(vectors: WordVectors, path: Path) -> None:
    """Write word2vec's text format, which is also fastText's .vec. Nine digits represent a float32 exactly.

    Raises:
        VectorFileError: the format cannot store one of the words, because of a space in it.
    """
    rows, size = vectors.matrix.shape
    _write_rows(vectors, path, f"{rows} {size}\n")


def write_glove(vectors: WordVectors, path: Path) -> None:
    """Write GloVe's text format: like `write_text`, but without the header. Raises VectorFileError like `write_text`."""
    _write_rows(vectors, path, "")


def _write_rows(vectors: WordVectors, path: Path, header: str) -> None:
    layout = "%s" + " %.9g" * vectors.matrix.shape[1] + "\n"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(header)
        for word, row in zip(vectors.vocabulary.words, vectors.matrix, strict=True):
            file.write(layout % (_writable(path, word), *row.tolist()))


def write_binary(vectors: WordVectors, path: Path) -> None:
    """Write word2vec's binary format.

    Raises:
        VectorFileError: the format cannot store one of the words, because of a space in it.
    """
    rows, size = vectors.matrix.shape
    with path.open("wb") as file:
        file.write(f"{rows} {size}\n".encode())
        for word, row in zip(vectors.vocabulary.words, vectors.matrix.astype("<f4", copy=False), strict=True):
            file.write(f"{_writable(path, word)} ".encode() + row.tobytes() + b"\n")


def _count_lines(path: Path) -> int:
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            count, last = count + piece.count(b"\n"), piece[-1:]
    return count + (last != b"\n")


def _parse_header(line: bytes) -> _Header | None:
    fields = line.split() if len(line) <= LONGEST_HEADER else []
    return _Header(*map(int, fields)) if len(fields) == 2 and all(field.isdigit() for field in fields) else None


def _check_size(path: Path, shape: _Header, size: int, smallest: int) -> None:
    """Check, before allocating memory, that the file is large enough: a row has at least `smallest` bytes."""
    if not shape.rows or not shape.size:
        raise VectorFileError(f"{path}, line 1: the file has no vectors")
    if shape.rows * smallest > size:
        raise VectorFileError(f"{path}, line 1: {shape.rows} rows of {shape.size} values do not fit into {size} bytes")


def _skip_mark(file: BinaryIO) -> int:
    """Skip a byte order mark, which some editors write; return the position where the text begins."""
    if file.read(len(BOM_UTF8)) != BOM_UTF8:
        file.seek(0)
    return file.tell()


def _fields(line: bytes) -> list[bytes]:
    # Only spaces and tabs separate: GloVe has words with other white space. word2vec and fastText end a row with a space.
    return line.rstrip(b" \t\r\n").replace(b"\t", b" ").split(b" ")


def _parse_row(line: bytes, size: int, place: str) -> tuple[str, list[float]]:
    word, *values = _fields(line)
    if len(values) != size:
        raise VectorFileError(f"{place}: has {len(values)} values, not {size}")
    try:
        return _decode(word, place), [float(value) for value in values]
    except VectorFileError:
        raise
    except ValueError as error:
        raise VectorFileError(f"{place}: {error}") from error


def _binary_rows(path: Path, data: mmap.mmap, position: int, shape: _Header) -> tuple[list[str], NDArray[np.float32]]:
    words, matrix = [], np.empty(shape, np.float32)
    for row in range(shape.rows):
        start = data.find(b" ", position) + 1
        if start == 0 or start + 4 * shape.size > len(data):
            raise VectorFileError(f"{path}, row {row + 1}: the file ends here, but its header announces {shape.rows} rows")
        words.append(_decode(data[position : start - 1].lstrip(b"\n"), f"{path}, row {row + 1}"))
        matrix[row] = np.frombuffer(data, "<f4", shape.size, start)
        position = start + 4 * shape.size
    if len(data) - position > 1:  # the last row's line end, which some tools write
        raise VectorFileError(f"{path}, row {shape.rows + 1}: the file continues, but its header announces {shape.rows} rows")
    return words, matrix


def _decode(word: bytes, place: str) -> str:
    if not word:
        raise VectorFileError(f"{place}: has no word")
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        raise VectorFileError(f"{place}: the word {word[:50]!r} is not UTF-8") from error


def _vectors(path: Path, words: list[str], matrix: NDArray[np.float32], place: Callable[[int], str]) -> WordVectors:
    broken = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(broken):
        raise VectorFileError(f"{place(int(broken[0]))}: the vector of {words[broken[0]]!r} has a value that is not finite")
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    skipped = len(words) - len(first)
    kept = matrix[list(first.values())] if skipped else matrix
    provenance = {"file": path.name, "duplicates_skipped": skipped}
    return WordVectors(WordVocabulary(first, np.zeros(len(first))), kept, provenance)


def _writable(path: Path, word: str) -> str:
    if not word or any(mark in word for mark in " \t\n"):
        raise VectorFileError(f"{path}: the format cannot store the word {word!r}")
    return word
