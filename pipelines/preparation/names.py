"""Names with labels, split by distinct name."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from anyascii import anyascii

from models.text.characters import CharacterTokenizer
from models.text.normalize import normalize
from models.text.special import BOS, EOS
from pipelines.corpora.names import Name
from pipelines.preparation.prepared import SPLITS, Prepared
from pipelines.settings.tasks import NamesPrepare

# Letters in words joined by a space, an apostrophe or a hyphen: anything else is an entry that was garbled on its way.
WELL_FORMED = re.compile(r"[ '\-]?[^\W\d_]+(?:[ '\-]{1,2}[^\W\d_]+)*")


def prepare_names(records: Iterable[Name], params: NamesPrepare, seed: int) -> Prepared:
    """Clean, cap and split (name, label) pairs.

    A name that carries several labels keeps them all, in one split: no name of the test split was seen in training.

    Args:
        records: surname and nationality.
        params: see params.yaml.
        seed: decides which names are kept and where they go.
    """
    pairs = _cap(_clean(records, params), params.limit_per_label, np.random.default_rng(seed))
    splits = _split(pairs, params, np.random.default_rng([seed, 1]))
    copies = _plain_copies(splits) if params.plain_copies else []
    splits["train"] += copies
    labels = sorted({label for _, label in pairs})
    tokenizer = CharacterTokenizer.train((name for name, _ in splits["train"]), lowercase=params.lowercase, min_count=2)
    ids = {label: i for i, label in enumerate(labels)}
    return Prepared(
        texts={s: {"name": [n for n, _ in splits[s]], "label": [label for _, label in splits[s]]} for s in SPLITS},
        arrays={
            s: {
                "characters": [[BOS, *tokenizer.encode(name), EOS] for name, _ in splits[s]],
                "label": [ids[label] for _, label in splits[s]],
            }
            for s in SPLITS
        },
        tokenizer=tokenizer,
        labels=labels,
        statistics={**_statistics(pairs), "plain_copies": len(copies)},
    )


def _clean(records: Iterable[Name], params: NamesPrepare) -> list[Name]:
    """Distinct well-formed pairs, sorted."""
    pairs = {(normalize(name.replace("\u2019", "'"), lowercase=params.lowercase), label) for name, label in records}
    return sorted((name, label) for name, label in pairs if WELL_FORMED.fullmatch(name) and len(name) <= params.max_length)


def _cap(pairs: list[Name], limit: int, rng: np.random.Generator) -> list[Name]:
    """At most `limit` pairs of each label, chosen at random."""
    by_label: dict[str, list[Name]] = defaultdict(list)
    for pair in pairs:
        by_label[pair[1]].append(pair)
    kept = []
    for _, rows in sorted(by_label.items()):
        kept += [rows[i] for i in sorted(rng.permutation(len(rows))[:limit])]
    return kept


def _split(pairs: list[Name], params: NamesPrepare, rng: np.random.Generator) -> dict[str, list[Name]]:
    """Every distinct name, whatever its case, goes to one split with all of its labels."""
    names = sorted({name.casefold() for name, _ in pairs})
    order = rng.permutation(len(names))
    test, valid = int(len(names) * params.test_share), int(len(names) * params.valid_share)
    where = {names[i]: "test" if k < test else "valid" if k < test + valid else "train" for k, i in enumerate(order)}
    mixed = [pairs[i] for i in rng.permutation(len(pairs))]  # so that the first rows of a split are a sample of it
    return {s: [pair for pair in mixed if where[pair[0].casefold()] == s] for s in SPLITS}


def _plain_copies(splits: dict[str, list[Name]]) -> list[Name]:
    """The training names with accents as they are typed where the keyboard has none, so that "Kaminski" is read as "Kamiński" is.

    One that is a name of another split, or of this one with the same label, is left out.
    """
    elsewhere = {name.casefold() for split in ("valid", "test") for name, _ in splits[split]}
    known, copies = set(splits["train"]), []
    for name, label in splits["train"]:
        plain = (anyascii(name), label)
        if plain not in known and plain[0].casefold() not in elsewhere:
            known.add(plain)
            copies.append(plain)
    return copies


def _statistics(pairs: list[Name]) -> dict[str, float]:
    """Sizes, and what ambiguous names leave within reach: a perfect model of names picks one label of each."""
    per_name = Counter(name for name, _ in pairs)
    per_label = Counter(label for _, label in pairs)
    return {
        "labels": len(per_label),
        "distinct_names": len(per_name),
        "ambiguous_names": sum(n > 1 for n in per_name.values()),
        "accuracy_ceiling": len(per_name) / len(pairs),
        "smallest_label_rows": min(per_label.values()),
        "largest_label_rows": max(per_label.values()),
        "mean_length": sum(len(name) for name, _ in pairs) / len(pairs),
        "longest": max(len(name) for name, _ in pairs),
    }
