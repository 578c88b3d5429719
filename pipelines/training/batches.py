"""Batches of rows of similar length, with a budget of padded units instead of a fixed number of rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from models.text.special import PAD
from pipelines.store import Rows
from pipelines.training.world import ALONE, World


class LengthBuckets(Sampler[list[int]]):
    """Yields the row indices of each batch, or of one rank's share of it.

    Rows are sorted by length, with ties in random order, and cut into batches, which are then shuffled. The cuts depend only on
    the lengths, so every epoch has the same number of steps. The rest depends only on seed and epoch, so a resumed run sees the
    same batches.

    Args:
        split: the rows. They are sorted by the length of the last text column, and roughly by the lengths of the others.
        units: maximum number of padded units of that column in a batch; a longer row is a batch by itself.
        seed: seed of the order.
        shuffle: if False, the order is the same in every epoch.
        world: the ranks that share the batches.
    """

    def __init__(self, split: Rows, units: int, seed: int, *, shuffle: bool, world: World = ALONE) -> None:
        self._seed, self._shuffle, self._world, self._epoch = seed, shuffle, world, 0
        *others, last = [split.lengths(name).astype(np.int32) for name in split.texts]
        self._keys = [*(lengths // 4 for lengths in others), last]  # 4: coarse enough to mix rows, fine enough to pad little
        self._cuts = _cuts(np.sort(last), units)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch; call it before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._cuts)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of this epoch."""
        rng = np.random.default_rng([self._seed, self._epoch if self._shuffle else 0])
        keys: list[NDArray[Any]] = [rng.random(len(self._keys[-1])), *self._keys]
        order = np.lexsort(keys).astype(np.int32)  # half the memory of int64
        turns = rng.permutation(len(self._cuts)) if self._shuffle else range(len(self._cuts))
        for start, end in (self._cuts[i] for i in turns):  # one list at a time: lists of all rows would be larger than the data
            yield self._world.share(order[start:end].tolist())


def _cuts(lengths: NDArray[np.int32], units: int) -> list[tuple[int, int]]:
    """Bounds of consecutive batches over ascending lengths: number of rows times maximum length is at most `units`."""
    cuts, start = [], 0
    for end, length in enumerate(lengths):
        if end > start and (end + 1 - start) * int(length) > units:
            cuts.append((start, end))
            start = end
    return [*cuts, (start, len(lengths))]


class PaddedRows(Dataset[dict[str, Tensor]]):
    """Rows of a split as one padded batch: a text column gives [B, T] and `<name>_lengths` [B], a label column [B].

    Without rows, the batch has no columns.
    """

    def __init__(self, split: Rows) -> None:
        self._split = split

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        """The batch of these rows."""
        rows = [self._split.row(i) for i in indices]
        batch = {}
        for name in rows[0] if rows else ():
            values = [torch.from_numpy(row[name]) for row in rows]
            if name in self._split.texts:
                batch[name] = torch.nn.utils.rnn.pad_sequence(values, batch_first=True, padding_value=PAD)
                batch[f"{name}_lengths"] = torch.tensor([len(v) for v in values])
            else:
                batch[name] = torch.stack(values)
        return batch


def loader(
    split: Rows, units: int, seed: int, *, shuffle: bool, ahead: int = 0, world: World = ALONE
) -> DataLoader[dict[str, Tensor]]:
    """Batches of a split, in the order of LengthBuckets.

    Args:
        split: see LengthBuckets.
        units: see LengthBuckets.
        seed: see LengthBuckets.
        shuffle: see LengthBuckets.
        ahead: number of worker processes that prefetch batches, in pinned memory. With 0, each batch is created on demand.
        world: see LengthBuckets.
    """
    order = LengthBuckets(split, units, seed, shuffle=shuffle, world=world)
    return DataLoader(PaddedRows(split), batch_size=None, sampler=order, num_workers=ahead, pin_memory=ahead > 0)
