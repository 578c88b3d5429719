"""Proposes a block for labelled texts."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from models.text.words import words_of
from pipelines.data.splitting.sides import SPACELESS
from pipelines.new.facts import Facts
from pipelines.new.sizes import quoted, shared
from pipelines.settings.section import NONE
from pipelines.stage import StageError

NEEDED = ("text", "label")
UNITS = ("characters", "subwords", "words")
MOST_BUCKETS, MOST_NUMBERS = 131_072, 8_000_000  # of the table of n-grams
SHORT = 40  # texts are read as characters if almost all are not longer
ENGLISH = frozenset(
    ["the", "of", "and", "to", "in", "a", "is", "it", "that", "for", "was", "on", "with", "this", "as", "be", "i", "you", "not"]
)


def check(facts: Facts) -> None:
    """Raises StageError unless there are two labels."""
    if len(facts.labels) < 2:
        raise StageError(f"all rows have the label {next(iter(facts.labels), '')!r}; a classifier needs two labels or more")


def units(facts: Facts) -> str:
    """The best units for the texts."""
    if facts.characters(0.95) <= SHORT and facts.words(0.95) <= 4:
        return "characters"
    text = "".join(row.text for row in facts.sample)
    return "subwords" if len(SPACELESS.findall(text)) > 0.2 * len(text) else "words"


def values(name: str, title: str, facts: Facts, chosen: str, vectors: Mapping[str, int], _: Mapping[str, str]) -> dict[str, str]:
    """The values for the block's placeholders.

    Args:
        name: of the task.
        title: a description in one line.
        facts: about its rows.
        chosen: units.
        vectors: paths of pretrained vectors -> their dimension.
    """
    buckets = {"ngram_buckets": str(min(MOST_BUCKETS, MOST_NUMBERS // len(facts.labels)))}
    if chosen == "characters":
        found = buckets | shared(name, title, facts, fmean(len(row.text) for row in facts.sample) + 2, 200)
        longest = max(facts.characters(0.999), 20)
        accents = any(not row.text.isascii() for row in facts.sample)
        return found | {"longest": str(longest), "served": str(max(2 * longest, 64)), "plain_copies": str(accents).lower()}
    found = buckets | shared(name, title, facts, fmean(max(len(row.text.split()), 1) for row in facts.sample), 50)
    longest = max(facts.words(0.999), 50)
    english = _is_english(facts)
    begin = next(iter(vectors), NONE) if english and chosen == "words" else NONE
    return found | {
        "longest": str(longest),
        "served": str(max(2 * longest, 500)),
        "vectors": begin,
        "why_vectors": "the texts are English" if begin != NONE else "learned with the task",
        "vocabulary_size": {"subwords": "8000"}.get(chosen, "100000" if begin != NONE else "30000"),
        "embedding_size": str(vectors.get(begin, 64)),
    }


def examples(texts: Mapping[str, Sequence[str]]) -> str:
    """Two short texts, with different labels if possible, in the block's syntax."""
    rows = sorted(zip(texts["text"], texts["label"], strict=True), key=lambda row: (len(row[0]), row))
    rows = [row for row in rows if len(row[0]) > 3] or rows
    first = rows[len(rows) // 4]
    second = next((row for row in rows[len(rows) // 4 :] if row[1] != first[1]), rows[-1])
    return quoted([first[0], second[0]])


def _is_english(facts: Facts) -> bool:
    """Whether more than 15 % of the words are among the most frequent English ones."""
    words = [word for row in facts.sample for word in words_of(row.text)]
    return sum(word in ENGLISH for word in words) > 0.15 * len(words)
