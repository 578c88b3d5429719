"""Parallel sentences, split by group or as they were published."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from joblib import Parallel, delayed

from models.text.bpe_dropout import BpeDropout
from models.text.normalize import normalize
from models.text.special import BOS, EOS
from models.text.subwords import SubwordTokenizer
from pipelines.corpora.parallel import Pair, looks_swapped_or_untranslated
from pipelines.preparation.prepared import SPLITS, Prepared
from pipelines.settings.tasks import PairsPrepare

Splits = Mapping[str, Sequence[Pair]]
Statistics = dict[str, float]
Texts = Mapping[str, Sequence[str]]


def split_pairs(records: Iterable[Pair], params: PairsPrepare, seed: int) -> tuple[Splits, Statistics]:
    """Clean sentence pairs and split them by group, so that no split says what another does.

    Args:
        records: sentences with their translations.
        params: see params.yaml.
        seed: decides which groups are held out.

    Returns:
        the splits; how many rows there were, and how many were dropped.
    """
    kept, statistics = clean(records, params)
    wanted = {"test": params.test_pairs, "valid": params.valid_pairs}
    splits, overlapping = hold_out(kept, wanted, np.random.default_rng(seed))
    return _limited(splits, params), {**statistics, "dropped_as_overlapping": overlapping}


def clean_training(splits: Splits, params: PairsPrepare) -> tuple[Splits, Statistics]:
    """Clean the training split, and drop from it each pair of which a held-out one has either side, whatever its case.

    Published splits keep every row and their order, and only their white space and Unicode form are normalized: scores on them
    are compared with others'.

    Returns:
        the splits; how many training rows there were, and how many were dropped.
    """
    held_out = {split: _normalized(pairs) for split, pairs in splits.items() if split != "train"}
    kept, statistics = clean(splits["train"], params)
    train = without(kept, (pair for pairs in held_out.values() for pair in pairs))
    return _limited({"train": train, **held_out}, params), {**statistics, "dropped_from_train": len(kept) - len(train)}


def without(pairs: Iterable[Pair], others: Iterable[Pair]) -> list[Pair]:
    """The pairs of which no other has either side, whatever its case."""
    said = {text.casefold() for pair in others for text in (pair.fr, pair.en)}
    return [pair for pair in pairs if said.isdisjoint((pair.fr.casefold(), pair.en.casefold()))]


def _limited(splits: Splits, params: PairsPrepare) -> Splits:
    return {**splits, "train": splits["train"][: params.train_pairs or None]}


def prepare_pairs(splits: Splits, params: PairsPrepare, statistics: Statistics) -> Prepared:
    """Pick the sides, and learn one subword vocabulary for both from the training split, the same in either direction.

    Args:
        splits: pairs that need no more cleaning; those beside SPLITS are further test sets.
        params: see params.yaml.
        statistics: of how the splits were made.
    """
    tokenizer = SubwordTokenizer.train((text for p in splits["train"] for text in (p.fr, p.en)), size=params.vocabulary_size)
    texts = {split: _sides(pairs, params) for split, pairs in splits.items()}
    arrays = {split: _ids(texts[split], tokenizer) for split in SPLITS}
    drawn = Parallel(n_jobs=-1)(
        delayed(_drawn)(texts["train"], tokenizer, params.subword_dropout, seed) for seed in range(1, params.segmentations + 1)
    )
    arrays |= {f"train-{seed:02}": ids for seed, ids in enumerate(drawn, start=1)}
    lengths = [len(row) for row in arrays["train"]["target"]]
    return Prepared(
        texts=texts,
        arrays=arrays,
        tokenizer=tokenizer,
        statistics={
            **statistics,
            "mean_target_length": sum(lengths) / len(lengths),
            "longest": max(len(row) for row in arrays["train"]["source"]),
        },
    )


def _sides(pairs: Sequence[Pair], params: PairsPrepare) -> dict[str, list[str]]:
    by_language = {"fr": [pair.fr for pair in pairs], "en": [pair.en for pair in pairs]}
    return {"source": by_language[params.source], "target": by_language[params.target]}


def _normalized(records: Iterable[Pair]) -> list[Pair]:
    return [record._replace(fr=normalize(record.fr), en=normalize(record.en)) for record in records]


def _ids(texts: Texts, tokenizer: SubwordTokenizer | BpeDropout) -> Mapping[str, Sequence[Sequence[int]]]:
    return {
        "source": [[*tokenizer.encode(text), EOS] for text in texts["source"]],
        "target": [[BOS, *tokenizer.encode(text), EOS] for text in texts["target"]],
    }


def _drawn(texts: Texts, tokenizer: SubwordTokenizer, p: float, seed: int) -> Mapping[str, Sequence[Sequence[int]]]:
    """The same with other subwords."""
    return _ids(texts, BpeDropout(tokenizer, p, seed))


def clean(records: Iterable[Pair], params: PairsPrepare) -> tuple[list[Pair], Statistics]:
    """The distinct pairs that fit; how many distinct ones there were, and how many did not fit."""
    everything = list(dict.fromkeys(_normalized(records)))
    kept = [pair for pair in everything if _fits(pair, params)]
    return kept, {"raw_rows": len(everything), "dropped_by_filters": len(everything) - len(kept)}


def _fits(pair: Pair, params: PairsPrepare) -> bool:
    """Neither too short or long, nor lopsided, nor left untranslated, nor in the wrong language.

    Dictionary entries are short, and may be lopsided: "pomme de terre" is one word in English.
    """
    french, english = len(pair.fr.split()), len(pair.en.split())
    return (
        (pair.entry or params.min_words <= french)
        and 1 <= french <= params.max_words
        and 1 <= english <= params.max_words * params.max_ratio
        and (pair.entry or max(french, english) <= params.max_ratio * min(french, english))
        and pair.fr != pair.en
        and not looks_swapped_or_untranslated(pair)
    )


def hold_out(pairs: Collection[Pair], wanted: Mapping[str, int], rng: np.random.Generator) -> tuple[dict[str, list[Pair]], int]:
    """Hold out whole groups in random order, then drop from the held-out ones what other groups say too.

    Descriptions repeat sentences across packages, so that splitting by package alone would leak. A held-out pair stays
    only if neither of its sides occurs in another group, whatever its case; what is left of the others is for training.

    Args:
        pairs: of all groups.
        wanted: held-out split -> how many pairs it is to have at least.
        rng: puts the groups in order.

    Returns:
        the splits, and how many held-out pairs were dropped.
    """
    groups: dict[str, list[Pair]] = defaultdict(list)
    homes: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        groups[pair.group].append(pair)
        for text in (pair.fr, pair.en):
            homes[text.casefold()].add(pair.group)
    splits: dict[str, list[Pair]] = {s: [] for s in SPLITS}
    names, dropped = sorted(groups), 0
    for name in (names[i] for i in rng.permutation(len(names))):
        split = next((s for s, n in wanted.items() if len(splits[s]) < n), "train")
        rows = groups[name] if split == "train" else [p for p in groups[name] if _only_here(p, homes)]
        dropped += len(groups[name]) - len(rows)
        splits[split] += rows
    return splits | {"train": list({(p.fr, p.en): p for p in splits["train"]}.values())}, dropped


def _only_here(pair: Pair, homes: dict[str, set[str]]) -> bool:
    return all(len(homes[text.casefold()]) == 1 for text in (pair.fr, pair.en))
