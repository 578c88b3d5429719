"""Pairs to train and validate on beside those that a translator is tested on."""

from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.corpora.parallel import Pair
from pipelines.preparation.pairs import Splits, Statistics, clean, hold_out, without
from pipelines.settings.tasks import PairsPrepare


def add_further(splits: Splits, records: Iterable[Pair], params: PairsPrepare, seed: int) -> tuple[Splits, Statistics]:
    """Train and validate on further pairs, too. The test split stays as it is, and so do the other pairs of both.

    Whole groups of sentences are held out for validation; dictionary entries are for training alone. A further pair is dropped
    from training if a held-out pair has either of its sides, whatever its case.

    Args:
        splits: pairs that need no more cleaning.
        records: the further pairs.
        params: see params.yaml.
        seed: decides which groups are held out.

    Returns:
        the splits; of the further pairs, how many there were, how many were dropped, and how many the splits have.
    """
    kept, cleaned = clean(records, params)
    sentences, entries = [p for p in kept if not p.entry], [p for p in kept if p.entry]
    found, overlapping = hold_out(sentences, {"valid": params.further.valid_pairs}, np.random.default_rng(seed))
    valid = without(found["valid"], [*entries, *(pair for pairs in splits.values() for pair in pairs)])
    train = without([*found["train"], *entries], [*splits["valid"], *splits["test"], *valid])
    overlapping += len(found["valid"]) - len(valid) + len(found["train"]) + len(entries) - len(train)
    chosen = _repeated(_sample(train, params.further.train_pairs, seed), params)
    statistics = {**cleaned, "dropped_as_overlapping": overlapping, "train_rows": len(chosen), "valid_rows": len(valid)}
    return (
        {**splits, "train": [*splits["train"], *chosen], "valid": [*splits["valid"], *valid]},
        {f"further_{name}": count for name, count in statistics.items()},
    )


def _sample(pairs: Sequence[Pair], size: int, seed: int) -> Sequence[Pair]:
    """So many of them, or all if that is 0: drawn, because they come sorted by where they are from."""
    if not size or size >= len(pairs):
        return pairs
    return [pairs[i] for i in np.sort(np.random.default_rng(seed).permutation(len(pairs))[:size])]


def _repeated(pairs: Iterable[Pair], params: PairsPrepare) -> list[Pair]:
    further = params.further
    return [pair for pair in pairs for _ in range(further.entry_repeats if pair.entry else further.repeats)]
