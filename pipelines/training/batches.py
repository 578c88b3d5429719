"""Batches of rows of like length, by a budget of padded units instead of a number of rows."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from models.text.special import PAD
from pipelines.store import Ids, Rows
from pipelines.training.world import ALONE, World


class LengthBuckets(Sampler[list[int]]):
    """Yields the row numbers of each batch, or of one rank's share of it.

    Rows are sorted by length, ties in random order, cut into batches, and the batches shuffled. The lengths alone decide
    where the cuts fall, so that every epoch has the same number of steps; the seed and the epoch alone decide the rest,
    so that a resumed run sees the batches it would have seen.

    Args:
        split: the rows. The last text column's length is what counts first, the others' only roughly.
        units: most padded units of that column in a batch; a longer row is a batch of its own.
        seed: of the order.
        shuffle: if not, the order is the same in every epoch.
        world: the ranks that share the batches.
    """

    def __init__(self, split: Rows, units: int, seed: int, *, shuffle: bool, world: World = ALONE) -> None:
        self._seed, self._shuffle, self._world, self._epoch = seed, shuffle, world, 0
        *others, last = [split.lengths(name) for name in split.texts]
        self._keys = [*(lengths // 4 for lengths in others), last]  # 4: coarse enough to mix rows, fine enough to pad little
        self._cuts = _cuts(np.sort(last), units)

    def set_epoch(self, epoch: int) -> None:
        """To be called before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._cuts)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches of this epoch."""
        rng = np.random.default_rng([self._seed, self._epoch if self._shuffle else 0])
        order = np.lexsort([rng.random(len(self._keys[-1])), *self._keys])
        batches = [order[start:end].tolist() for start, end in self._cuts]
        turns = rng.permutation(len(batches)) if self._shuffle else range(len(batches))
        yield from (self._world.share(batches[i]) for i in turns)


def _cuts(lengths: Ids, units: int) -> list[tuple[int, int]]:
    """Bounds of consecutive batches over ascending lengths: rows times the longest stays within `units`."""
    cuts, start = [], 0
    for end, length in enumerate(lengths):
        if end > start and (end + 1 - start) * length > units:
            cuts.append((start, end))
            start = end
    return [*cuts, (start, len(lengths))]


class PaddedRows(Dataset[dict[str, Tensor]]):
    """Rows of a split as one padded batch: a text column gives [B, T] and `<name>_lengths` [B], a label column [B].

    No rows give no columns.
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
        ahead: processes that make batches ahead of their use, in memory from which a GPU can copy them by itself. Without any,
            each is made when it is asked for.
        world: see LengthBuckets.
    """
    order = LengthBuckets(split, units, seed, shuffle=shuffle, world=world)
    return DataLoader(PaddedRows(split), batch_size=None, sampler=order, num_workers=ahead, pin_memory=ahead > 0)
