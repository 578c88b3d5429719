"""Digests of the training rows of a model: they tell later whether it was trained on a row, without keeping the row.

A digest is the first 8 bytes of the sha256 of a row's key, as a big-endian number. With a million of them, a row that was never
seen is taken for one of them with a probability of 5e-14. Digests of short rows can be found by trying: they hide nothing.

A row has two keys, which do not depend on a task's settings: `normalize(text, lowercase=True)` of its input, and this followed
by a NUL and its answer (label or translation) in the same form, if there is one. A kind of task says what its rows are, see
`pipelines.kinds.parts.Lineage`. The rows of series are their time steps: the input is the time in UTC, as in 2020-03-16 or
2020-03-16 14:30:00, and the answer is the name of the series.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.text.normalize import normalize
from pipelines.kinds import parts
from pipelines.settings.tasks import Task

ARTIFACT: Final = "lineage/train_rows.npy"  # of the run that registered a model

Digests = NDArray[np.uint64]


def row_digests(prepared: Path, task: Task) -> Digests:
    """The digests of a task's training rows, sorted and unique, [N].

    Args:
        prepared: output of the task's prepare stage.
        task: the task's block.
    """
    rows = parts.lineage(task).training_rows(prepared, task)
    return np.unique(np.fromiter((_digest(key) for row in rows for key in _keys(*row)), np.uint64))


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


def _keys(text: str, answer: str) -> Iterator[str]:
    yield _key(text)
    if answer:
        yield _key(text, answer)


def _key(text: str, answer: str = "") -> str:
    return "\0".join(normalize(part, lowercase=True) for part in (text, answer) if part)


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode(errors="surrogatepass")).digest()[:8], "big")
