"""Behavioural tests: changes of a text that must not affect a classifier's answer, and changes that must.

Invariance tests as in Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", ACL.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from anyascii import anyascii

Classify = Callable[[Sequence[str]], Sequence[str]]

SAME_NAME: Mapping[str, Callable[[str], str]] = {
    "in_capitals": str.upper,
    "with_spaces": lambda name: f" {name}\u00a0",
    "decomposed": lambda name: unicodedata.normalize("NFD", name),
    "without_accents": anyascii,  # as typed on a keyboard without accented letters
}


def invariance(classify: Classify, names: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Shares of names that keep their label when their spelling is varied; 1 if the variation changes no name.

    Args:
        classify: maps names to labels.
        names: as they were classified.
        predicted: their labels.
    """
    shares = {}
    for way, change in SAME_NAME.items():
        changed = [(new, label) for name, label in zip(names, predicted, strict=True) if (new := change(name)) != name]
        again = classify([new for new, _ in changed]) if changed else []
        kept = sum(label == before for label, (_, before) in zip(again, changed, strict=True))
        shares[f"same_{way}"] = kept / len(changed) if changed else 1.0
    return shares


def letters_matter(
    classify: Classify, names: Sequence[str], actual: Sequence[str], train: Mapping[str, Sequence[str]], seed: int
) -> dict[str, float]:
    """Accuracy on names with shuffled letters, and accuracy by length alone.

    A classifier that only used lengths would reach the second, and shuffling would not affect it.

    Args:
        classify: maps names to labels.
        names: to be shuffled.
        actual: their labels.
        train: columns text and label of the training split.
        seed: of the order of the letters.
    """
    rng = np.random.default_rng(seed)
    shuffled = ["".join(rng.permutation(list(name)).tolist()) for name in names]
    labels: dict[int, Counter[str]] = defaultdict(Counter)
    for name, label in zip(train["text"], train["label"], strict=True):
        labels[len(name)][label] += 1
    overall = Counter(train["label"])
    by_length = [(labels.get(len(name)) or overall).most_common(1)[0][0] for name in names]
    return {
        "shuffled_accuracy": _accuracy(actual, classify(shuffled)),
        "length_accuracy": _accuracy(actual, by_length),
    }


def _accuracy(actual: Sequence[str], predicted: Sequence[str]) -> float:
    return sum(a == p for a, p in zip(actual, predicted, strict=True)) / len(actual)
