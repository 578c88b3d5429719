"""Parallel sentences, split by group."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from models.text.normalize import normalize
from models.text.special import BOS, EOS
from models.text.subwords import SubwordTokenizer
from pipelines.corpora.parallel import Pair, looks_swapped_or_untranslated
from pipelines.preparation.prepared import SPLITS, Prepared
from pipelines.settings.tasks import PairsPrepare


def prepare_pairs(records: Iterable[Pair], params: PairsPrepare, seed: int) -> Prepared:
    """Clean and split sentence pairs, and learn one subword vocabulary for both sides from the training split.

    Args:
        records: sentences with their translations.
        params: see params.yaml.
        seed: decides which groups are held out.
    """
    everything = list(dict.fromkeys(Pair(r.group, normalize(r.source), normalize(r.target)) for r in records))
    kept = [pair for pair in everything if _fits(pair, params)]
    splits, overlapping = _split(kept, params, np.random.default_rng(seed))
    tokenizer = SubwordTokenizer.train((t for p in splits["train"] for t in (p.source, p.target)), size=params.vocabulary_size)
    arrays = {
        s: {
            "source": [[*tokenizer.encode(p.source), EOS] for p in splits[s]],
            "target": [[BOS, *tokenizer.encode(p.target), EOS] for p in splits[s]],
        }
        for s in SPLITS
    }
    lengths = [len(row) for row in arrays["train"]["target"]]
    return Prepared(
        texts={s: {"source": [p.source for p in splits[s]], "target": [p.target for p in splits[s]]} for s in SPLITS},
        arrays=arrays,
        tokenizer=tokenizer,
        statistics={
            "raw_rows": len(everything),
            "dropped_by_filters": len(everything) - len(kept),
            "dropped_as_overlapping": overlapping,
            "mean_target_length": sum(lengths) / len(lengths),
            "longest": max(len(row) for row in arrays["train"]["source"]),
        },
    )


def _fits(pair: Pair, params: PairsPrepare) -> bool:
    """Neither too short or long, nor lopsided, nor left untranslated, nor in the wrong language."""
    source, target = len(pair.source.split()), len(pair.target.split())
    return (
        params.min_words <= source <= params.max_words
        and 1 <= target <= params.max_words * params.max_ratio
        and max(source, target) <= params.max_ratio * min(source, target)
        and pair.source != pair.target
        and not looks_swapped_or_untranslated(pair)
    )


def _split(pairs: list[Pair], params: PairsPrepare, rng: np.random.Generator) -> tuple[dict[str, list[Pair]], int]:
    """Hold out whole groups in random order, then drop from the held-out ones what other groups say too.

    Descriptions repeat sentences across packages, so that splitting by package alone would leak. A held-out pair stays
    only if neither of its sides occurs in another group, whatever its case; what is left of the others is for training.

    Returns:
        the splits, and how many held-out pairs were dropped.
    """
    groups: dict[str, list[Pair]] = defaultdict(list)
    homes: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        groups[pair.group].append(pair)
        for text in (pair.source, pair.target):
            homes[text.casefold()].add(pair.group)
    splits: dict[str, list[Pair]] = {s: [] for s in SPLITS}
    wanted, dropped = {"test": params.test_pairs, "valid": params.valid_pairs}, 0
    names = sorted(groups)
    for name in (names[i] for i in rng.permutation(len(names))):
        split = next((s for s, n in wanted.items() if len(splits[s]) < n), "train")
        rows = groups[name] if split == "train" else [p for p in groups[name] if _only_here(p, homes)]
        dropped += len(groups[name]) - len(rows)
        splits[split] += rows
    train = list({(p.source, p.target): p for p in splits["train"]}.values())
    return splits | {"train": train[: params.train_pairs or None]}, dropped


def _only_here(pair: Pair, homes: dict[str, set[str]]) -> bool:
    return all(len(homes[text.casefold()]) == 1 for text in (pair.source, pair.target))
