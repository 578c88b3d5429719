"""Assigns rows to splits so that no text is in two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.data.prepared import SPLITS
from pipelines.data.reading.source import RowSource
from pipelines.data.splitting.table import Hashes, Index, Places

TRAIN, VALID, TEST = range(3)
NOWHERE = -1

Where = NDArray[np.int8]
Statistics = dict[str, float]


class Rules(NamedTuple):
    """How rows are split.

    Attributes:
        valid_size: of the validation split: a share of the rows if below 1, otherwise their number.
        test_size: of the test split, likewise.
        limit_per_label: maximum number of rows per label; 0 keeps all.
        train_rows: maximum number of training rows; 0 keeps all.
        seed: of all random choices.
    """

    valid_size: float
    test_size: float
    limit_per_label: int
    train_rows: int
    seed: int


@dataclass(frozen=True)
class Splits:
    """The result of splitting.

    Attributes:
        places: split -> its rows, in the order in which they are written. Splits other than SPLITS are additional test sets.
        own: whether a row was assigned here; False if it was published in its split, [N].
        statistics: the number of dropped rows per reason.
    """

    places: Mapping[str, Places]
    own: NDArray[np.bool_]
    statistics: Statistics


def split_rows(index: Index, sources: Sequence[RowSource], rules: Rules) -> Splits:
    """Assign rows to splits.

    Rows of published splits stay there, repeated or not; training rows with the same text as a held-out row are dropped. A
    validation or test split that was not published is drawn from the training rows. Other rows are split by time if they
    have one, otherwise by group: at random, with the same shares for each label. Rows without a group form one with those
    that share a text with them. Held-out rows of these splits are dropped if another split repeats them.

    Args:
        index: of all rows.
        sources: of the data set, in order.
        rules: how to split.
    """
    names = (*SPLITS, *(name for name in index.split_names if name and name not in SPLITS))
    published = np.array([names.index(name) if name else NOWHERE for name in index.split_names], np.int8)[index.splits]
    missing = [split for split in (VALID, TEST) if not (published == split).any()]
    shared = published == TRAIN if missing else np.zeros(len(published), np.bool_)  # missing splits are drawn from these
    published[shared] = NOWHERE
    rng = np.random.default_rng(rules.seed)
    kept = _distinct(index.rows) | (published > TRAIN)
    statistics: Statistics = {"rows": len(kept), "dropped_as_repeated": int((~kept).sum())}
    if rules.limit_per_label:
        over = kept & (published == NOWHERE) & ~_limited(index.labels, kept, rules.limit_per_label, rng)
        kept &= ~over
        statistics["dropped_by_limit"] = int(over.sum())
    own = kept & (published == NOWHERE)
    where = np.where(kept, published, NOWHERE).astype(np.int8)
    may = np.array([[split in source.splits for split in SPLITS] for source in sources])[index.sources]  # [N, 3]
    may[shared] &= np.isin(range(len(SPLITS)), [TRAIN, *missing])
    where[own] = _divided(index, own, may[own], rules, rng)
    before, agreement = where.copy(), _agreement(index, where, own)
    _drop_leaks(index.keys, where, own)
    leaks = (before != NOWHERE) & (where == NOWHERE)
    statistics |= {f"dropped_from_{SPLITS[i]}": int((leaks & (before == i)).sum()) for i in range(len(SPLITS))} | agreement
    places = {name: _ordered(where == i, own, rng) for i, name in enumerate(names)}
    repeats = np.array([source.repeats for source in sources])[index.sources]
    train = places["train"][: rules.train_rows or None]
    return Splits({**places, "train": np.repeat(train, repeats[train])}, own, statistics)


def size(wanted: float, rows: int) -> int:
    """The number of rows that a size (a share or a number) stands for."""
    return round(wanted * rows) if wanted < 1 else int(wanted)


def _distinct(rows: Hashes) -> NDArray[np.bool_]:
    first = np.zeros(len(rows), np.bool_)
    first[np.unique(rows, return_index=True)[1]] = True
    return first


def _limited(labels: NDArray[np.int32], kept: NDArray[np.bool_], limit: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A random choice of at most `limit` kept rows of each label, as a mask."""
    places = np.flatnonzero(kept)
    order = places[np.lexsort((rng.permutation(len(places)), labels[places]))]
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    chosen = np.zeros(len(labels), np.bool_)
    chosen[order[np.arange(len(order)) - np.repeat(first, counts) < limit]] = True
    return chosen


def _divided(index: Index, own: NDArray[np.bool_], allowed: NDArray[np.bool_], rules: Rules, rng: np.random.Generator) -> Where:
    """The splits of the M rows that were not published in one; `allowed` are the splits that they may go to, [M, 3]."""
    if not own.any():
        return np.zeros(0, np.int8)
    if len(index.times):
        return _by_time(index.times[own], rules)
    # Rows with different allowed splits form different groups; test rows that repeat training rows are dropped later.
    _, groups = np.unique(_groups(index)[own] * 2 ** len(SPLITS) + _masks(allowed), return_inverse=True)
    return _by_group(groups, index.labels[own], allowed, rules, rng)


def _by_time(times: NDArray[np.float64], rules: Rules) -> Where:
    """The latest rows for testing, the ones before for validation; rows with the same time stay together."""
    n = len(times)
    ordered = np.sort(times)
    test = n - size(rules.test_size, n)
    valid = test - size(rules.valid_size, n)
    where = np.full(n, TRAIN, np.int8)
    for first, split in ((valid, VALID), (test, TEST)):
        if 0 < first < n:
            where[times >= ordered[first]] = split
    return where


def _by_group(
    groups: NDArray[np.intp], labels: NDArray[np.int32], allowed: NDArray[np.bool_], rules: Rules, rng: np.random.Generator
) -> Where:
    """Assign whole groups at random, stratified by label and allowed splits: each stratum gives the same share.

    Args:
        groups: of each row, 0 to G - 1, [M]; all rows of a group have the same allowed splits.
        labels: [M].
        allowed: whether a row may go to a split, [M, 3].
        rules: sizes.
        rng: draws the groups' order.
    """
    sizes = np.bincount(groups)
    _, first = np.unique(groups, return_index=True)
    may = allowed[first]
    strata = labels[first] * 2 ** len(SPLITS) + _masks(may)
    order = np.lexsort((rng.permutation(len(sizes)), strata))
    wanted = {TEST: _share(rules.test_size, allowed[:, TEST]), VALID: _share(rules.valid_size, allowed[:, VALID])}
    where = np.full(len(sizes), TRAIN, np.int8)
    for members in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        where[members] = _stratum(sizes[members], may[members[0]], wanted)
    divided: Where = where[groups]
    return divided


def _masks(allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A number for each combination of splits."""
    masks: NDArray[np.int64] = allowed @ 2 ** np.arange(len(SPLITS))
    return masks


def _share(wanted: float, allowed: NDArray[np.bool_]) -> float:
    """The share that a split takes of the rows that may go to it."""
    return min(wanted if wanted < 1 else wanted / max(int(allowed.sum()), 1), 1.0)


def _stratum(sizes: NDArray[np.intp], may: NDArray[np.bool_], shares: Mapping[int, float]) -> Where:
    """The splits of groups of these sizes, in random order: first for testing, then for validation."""
    total, begun = int(sizes.sum()), np.cumsum(sizes) - sizes  # rows in the groups before
    last = next((split for split in (TRAIN, TEST, VALID) if may[split]), NOWHERE)
    where, end = np.full(len(sizes), last, np.int8), 0.0
    for split, share in shares.items():
        if may[split] and split != last:
            start, end = end, end + max(share * total, 1.0)
            where[(begun >= start) & (begun < end)] = split
    return where


def _groups(index: Index) -> Hashes:
    """The group number of each row; rows without a group form one with those that share a text with them."""
    if index.keys.shape[1] == 1:
        found = index.keys[:, 0]
    else:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        texts, places = np.unique(index.keys, return_inverse=True)
        one, other = places.reshape(index.keys.shape).T
        graph = coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(len(texts), len(texts)))
        found = connected_components(graph, directed=False)[1][one].astype(np.int64)
    return np.where(index.groups != 0, index.groups, found)


def _drop_leaks(keys: Hashes, where: Where, own: NDArray[np.bool_]) -> None:
    """Remove rows until no text is in two splits; see `split_rows` for which rows are removed."""

    def drop(rows: NDArray[np.bool_], others: NDArray[np.bool_]) -> None:
        where[rows & np.isin(keys, keys[others]).any(axis=1)] = NOWHERE

    published = ~own & (where > TRAIN)
    drop((where == TRAIN) | (own & (where != NOWHERE)), published)
    drop(own & (where == TEST), (where == TRAIN) | (where == VALID))
    drop(own & (where == VALID), (where == TRAIN) | (where == TEST))


def _agreement(index: Index, where: Where, own: NDArray[np.bool_]) -> Statistics:
    """Label agreement of test rows that also occur in training or validation: a model can hardly exceed it."""
    if len(index.label_names) < 2:
        return {}
    train, held_out = np.flatnonzero((where == TRAIN) | (where == VALID)), np.flatnonzero(own & (where == TEST))
    keys, first = np.unique(index.keys[train, 0], return_index=True)
    at = np.searchsorted(keys, index.keys[held_out, 0]).clip(max=max(len(keys) - 1, 0))
    repeated = keys[at] == index.keys[held_out, 0] if len(keys) else np.zeros(len(held_out), np.bool_)
    if not repeated.any():
        return {}
    same = index.labels[train[first[at[repeated]]]] == index.labels[held_out[repeated]]
    return {"repeat_agreement": float(same.mean())}


def _ordered(members: NDArray[np.bool_], own: NDArray[np.bool_], rng: np.random.Generator) -> Places:
    """Published rows in file order, then the others shuffled, so that the first ones are a random sample."""
    rows = np.flatnonzero(members & own)
    return np.concatenate([np.flatnonzero(members & ~own), rng.permutation(rows)])
