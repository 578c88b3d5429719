"""Tests of data, run by the prepare stage itself: data that fails is never written."""

from collections import Counter
from collections.abc import Collection
from itertools import combinations

from pipelines.corpora.parallel import Pair, looks_swapped_or_untranslated
from pipelines.preparation.prepared import SPLITS, Prepared
from pipelines.settings.tasks import PairsPrepare
from pipelines.stage import StageError


def check_names(prepared: Prepared, max_length: int) -> None:
    """No name in two splits, every label in every split, no name over the limit. Raises StageError."""
    _nothing_shared(prepared, "name")
    for split in SPLITS:
        counts = Counter(prepared.texts[split]["label"])
        missing = sorted(set(prepared.labels) - set(counts))
        if missing:
            raise StageError(f"the {split} split has no row of {', '.join(missing)}; raise limit_per_label or the split's share")
        longest = max(prepared.texts[split]["name"], key=len)
        if len(longest) > max_length:
            raise StageError(f"{longest!r} of the {split} split is longer than max_length = {max_length}")


def check_pairs(prepared: Prepared, params: PairsPrepare, filtered: Collection[str] = SPLITS) -> None:
    """No split empty, no sentence in two; no French over the limit and each side in its language in the splits that filters made.

    Raises:
        StageError: a check failed.
    """
    for column in ("source", "target"):
        _nothing_shared(prepared, column)
    for split, texts in prepared.texts.items():
        if not texts["source"]:
            raise StageError(f"the {split} split is empty; lower test_pairs and valid_pairs, or loosen the filters")
        if split not in filtered:
            continue
        sides = {params.source: texts["source"], params.target: texts["target"]}
        rows = [Pair("", french, english) for french, english in zip(sides["fr"], sides["en"], strict=True)]
        if max(len(pair.fr.split()) for pair in rows) > params.max_words:
            raise StageError(f"the {split} split has a French side longer than max_words = {params.max_words}")
        wrong = next(filter(looks_swapped_or_untranslated, rows), None)
        if wrong:
            raise StageError(f"the {split} split has a pair in the wrong language: {wrong.fr!r} = {wrong.en!r}")


def check_snippets(prepared: Prepared) -> None:
    """No text in two splits, every label in every split. Raises StageError."""
    _nothing_shared(prepared, "text")
    for split in SPLITS:
        missing = sorted(set(prepared.labels) - set(prepared.texts[split]["label"]))
        if missing:
            raise StageError(f"the {split} split has no row of {', '.join(missing)}; raise train_rows or valid_share")


def _nothing_shared(prepared: Prepared, column: str) -> None:
    """No text of a held-out split occurs in another split, whatever its case."""
    seen = {split: {text.casefold() for text in columns[column]} for split, columns in prepared.texts.items()}
    for a, b in combinations(seen, 2):
        shared = sorted(seen[a] & seen[b])
        if shared:
            raise StageError(f"{len(shared)} rows of {column!r} are in {a} and in {b}, the first {shared[0]!r}")
