"""Proposes a block for parallel sentences."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from pipelines.data.splitting.sides import length
from pipelines.new.facts import Facts
from pipelines.new.sizes import quoted, shared

NEEDED = ("source", "target")
UNITS = ("subwords",)
SUBWORDS_A_WORD = 1.4  # about


def check(_: Facts) -> None:
    """Accepts any pairs."""


def units(_: Facts) -> str:
    """Subwords."""
    return "subwords"


def values(name: str, title: str, facts: Facts, _: str, __: Mapping[str, int], languages: Mapping[str, str]) -> dict[str, str]:
    """See `pipelines.kinds.classification.proposal.values`; also the languages' tags, as source and target."""
    mean = SUBWORDS_A_WORD * fmean(length(row.target) for row in facts.sample) + 2
    longest = max(facts.words(0.99), 10)
    return shared(name, title, facts, mean, 64) | {
        **languages,
        "longest": str(longest),
        "served": str(max(4 * longest, 128)),
        "vocabulary_size": str(min(max(facts.rows // 15, 500), 8000)),
    }


def examples(texts: Mapping[str, Sequence[str]]) -> str:
    """Two sources of medium length, in the block's syntax."""
    sources = sorted(texts["source"], key=lambda text: (len(text), text))
    return quoted([sources[len(sources) // 3], sources[len(sources) // 2]])
