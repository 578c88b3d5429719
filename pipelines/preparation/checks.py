"""Tests of data, run by the prepare stage itself: data that fails is never written."""

from collections import Counter

from pipelines.corpora.parallel import Pair, looks_swapped_or_untranslated
from pipelines.preparation.prepared import SPLITS, Prepared
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


def check_pairs(prepared: Prepared, max_words: int) -> None:
    """No sentence in two splits, none over the limit, each side in its language. Raises StageError."""
    for column in ("source", "target"):
        _nothing_shared(prepared, column)
    for split in SPLITS:
        texts = prepared.texts[split]
        if not texts["source"]:
            raise StageError(f"the {split} split is empty; lower test_pairs and valid_pairs, or loosen the filters")
        if max(len(source.split()) for source in texts["source"]) > max_words:
            raise StageError(f"the {split} split has a source longer than max_words = {max_words}")
        rows = [Pair("", s, t) for s, t in zip(texts["source"], texts["target"], strict=True)]
        wrong = next(filter(looks_swapped_or_untranslated, rows), None)
        if wrong:
            raise StageError(f"the {split} split has a pair in the wrong language: {wrong.source!r} = {wrong.target!r}")


def check_snippets(prepared: Prepared) -> None:
    """No text in two splits, every label in every split. Raises StageError."""
    _nothing_shared(prepared, "text")
    for split in SPLITS:
        missing = sorted(set(prepared.labels) - set(prepared.texts[split]["label"]))
        if missing:
            raise StageError(f"the {split} split has no row of {', '.join(missing)}; raise train_rows or valid_share")


def _nothing_shared(prepared: Prepared, column: str) -> None:
    """No text of a held-out split occurs in another split, whatever its case."""
    seen = {split: {text.casefold() for text in prepared.texts[split][column]} for split in SPLITS}
    for a, b in (("train", "valid"), ("train", "test"), ("valid", "test")):
        shared = sorted(seen[a] & seen[b])
        if shared:
            raise StageError(f"{len(shared)} rows of {column!r} are in {a} and in {b}, the first {shared[0]!r}")
