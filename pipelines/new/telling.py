"""Summarizes the findings of `seqline new` in lines of text."""

from collections.abc import Iterator, Mapping

from pipelines.data.prepared import SPLITS
from pipelines.new.facts import Facts

COMMON = 8  # number of labels that are named


def told_texts(facts: Facts, counted: Mapping[str, float]) -> Iterator[str]:
    """A summary of rows of texts, line by line.

    Args:
        facts: about the rows.
        counted: the statistics of their preparation.
    """
    yield f"{facts.rows:,} rows; 95 % have at most {facts.characters(0.95):,} characters, {facts.words(0.95):,} words"
    if facts.labels:
        common = ", ".join(f"{label} {count:,}" for label, count in facts.labels.most_common(COMMON))
        more = len(facts.labels) - COMMON
        yield f"{len(facts.labels)} labels: {common}" + (f", and {more} more" if more > 0 else "")
    for reason, count in counted.items():
        if reason.startswith("dropped") and count:
            yield f"{count:,.0f} {reason.replace('_', ' ')}"
    if "train_rows" in counted:
        yield told_splits(counted)
    else:
        yield f"{counted['tokens']:,.0f} words, {counted['vocabulary_size']:,.0f} distinct ones get vectors"


def told_splits(counted: Mapping[str, float]) -> str:
    """The size of each split."""
    return ", ".join(f"{split} {counted[f'{split}_rows']:,.0f}" for split in SPLITS)
