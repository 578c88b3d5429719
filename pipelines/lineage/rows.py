"""Digests of the training rows of a model: they tell later whether it was trained on a row, without keeping the row.

A digest is the first 8 bytes of the sha256 of a row's key, as a big-endian number. With a million of them, a row that was never
seen is taken for one of them with a probability of 5e-14. Digests of short rows can be found by trying: they hide nothing.

A row has two keys, which do not depend on a task's settings: `normalize(text, lowercase=True)` of its input, and this followed
by a NUL and its answer (label or translation) in the same form. The rows of series are their time steps: the input is the time in
UTC, as in 2020-03-16 or 2020-03-16 14:30:00, and the answer is the name of the series.
"""

import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.text.normalize import normalize
from pipelines import orders, windows
from pipelines.kinds.translation.settings import PairsPrepare
from pipelines.settings.tasks import Task

ARTIFACT: Final = "lineage/train_rows.npy"  # of the run that registered a model
FILE: Final = "train.parquet"
TIMES: Final = "times.npy"
RECIPE: Final = "recipe.json"

Digests = NDArray[np.uint64]


def row_digests(prepared: Path, task: Task) -> Digests:
    """The digests of a task's training rows, sorted and unique, [N].

    Args:
        prepared: output of the task's prepare stage.
        task: the task's block.
    """
    keys = _of_texts(prepared, task) if (prepared / FILE).exists() else _of_times(prepared)
    return np.unique(np.fromiter(map(_digest, keys), np.uint64))


def contains(digests: Digests, text: str, answer: str = "") -> bool:
    """Whether a row is among the training rows.

    Args:
        digests: by `row_digests`.
        text: the row's input: a text, or a time of a series.
        answer: its label, its translation or the name of its series; if empty, any.
    """
    wanted = np.uint64(_digest(_key(text, answer)))
    place = int(np.searchsorted(digests, wanted))
    return place < len(digests) and bool(digests[place] == wanted)


def _key(text: str, answer: str = "") -> str:
    return "\0".join(normalize(part, lowercase=True) for part in (text, answer) if part)


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode(errors="surrogatepass")).digest()[:8], "big")


def _of_texts(prepared: Path, task: Task) -> Iterator[str]:
    joined = task.prepare.joined if isinstance(task.prepare, PairsPrepare) else 0.0
    for text, answer, is_joined in _rows(prepared / FILE, joined):
        yield _key(text)
        yield _key(text, answer)
        if is_joined:
            yield from _parts(text)


def _rows(path: Path, joined: float) -> Iterator[tuple[str, str, bool]]:
    """The rows of the training split: input, answer, and whether two pairs may have been joined to this one.

    The joined pairs are drawn again as `pipelines.kinds.translation.data` has drawn them. It joins pairs within a batch, and a
    batch is a row group of the file. (The last row of a batch may be drawn without being joined.)
    """
    file, draw = pq.ParquetFile(path), random.Random(0)  # noqa: S311 - not used for security
    for batch in range(file.num_row_groups):
        for text, answer in zip(*file.read_row_group(batch).to_pydict().values(), strict=True):
            yield text, answer, draw.random() < joined


def _parts(text: str) -> Iterator[str]:
    """The keys of a joined text's beginnings and ends: one of each is a row, and nothing tells which."""
    words = _key(text).split(" ")
    for i in range(1, len(words)):
        yield " ".join(words[:i])
        yield " ".join(words[i:])


def _of_times(prepared: Path) -> Iterator[str]:
    """The keys of all time steps that are in a training window or in its target."""
    times = np.load(prepared / TIMES)
    seen = np.zeros(len(times), bool)
    file = next(prepared / name for name in (windows.ABOUT, orders.ABOUT) if (prepared / name).exists())
    about = json.loads(file.read_text(encoding="utf-8"))
    for end, ahead in _ends(prepared):
        seen[end + 1 - about["length"] : end + 1 + ahead] = True
    for name, (first, behind) in about["places"].items():
        for seconds in times[first:behind][seen[first:behind]].tolist():
            time = str(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)).removesuffix(" 00:00:00")
            yield _key(time)
            yield _key(time, name)


def _ends(prepared: Path) -> Iterable[tuple[int, int]]:
    """The last known time step of each training window, and how many further ones its target has."""
    if (prepared / orders.ABOUT).exists():
        found = (np.load(prepared / "train" / f"{name}.npy").tolist() for name in (orders.ENDS, "horizon"))
        return zip(*found, strict=True)
    longest = max(json.loads((prepared / RECIPE).read_text(encoding="utf-8"))["horizons"])
    return ((end, longest) for end in np.load(prepared / "train.npy").tolist())
