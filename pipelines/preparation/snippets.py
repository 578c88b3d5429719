"""Sentences with a sentiment, split so that no split repeats another, as ids of words that have pretrained vectors."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from models.text.special import SPECIAL_TOKENS, UNK
from models.text.vectors import WordVectors
from models.text.word_tokenizer import WordTokenizer, is_token
from pipelines.corpora.sentiment import Snippet
from pipelines.preparation.overlap import Overlap
from pipelines.preparation.prepared import SPLITS, Prepared
from pipelines.settings.tasks import SnippetsPrepare

LABELS = ["negative", "positive"]  # by id

Splits = Mapping[str, Sequence[Snippet]]
Statistics = dict[str, float]


def split_snippets(
    snippets: Sequence[Snippet], rated: Sequence[Snippet], valid_share: float, seed: int
) -> tuple[Splits, Statistics]:
    """Train and validate on one collection, test on another, and drop from the held-out ones what another split says, too.

    Args:
        snippets: to train and validate on.
        rated: to test on.
        valid_share: of `snippets`.
        seed: decides which are held out.

    Returns:
        the splits; how many rows were dropped, and the share of the sentences in both collections that have the same label in
        both, which no model can be expected to exceed.
    """
    rng = np.random.default_rng(seed)
    held_out, rest = np.split(rng.permutation(len(snippets)), [round(valid_share * len(snippets))])
    train, chosen = [snippets[i] for i in rest], [snippets[i] for i in held_out]
    valid = _without(chosen, train)
    test = _without([rated[i] for i in rng.permutation(len(rated))], snippets)  # mixed, as its first rows are a sample of it
    verdicts = {tuple(words): label for words, label in snippets}
    agreed = [verdicts[tuple(words)] == label for words, label in rated if tuple(words) in verdicts]
    statistics: Statistics = {
        "dropped_from_valid": len(chosen) - len(valid),
        "dropped_from_test": len(rated) - len(test),
        "rater_agreement": sum(agreed) / max(len(agreed), 1),
    }
    return {"train": train, "valid": valid, "test": test}, statistics


def _without(snippets: Sequence[Snippet], others: Sequence[Snippet]) -> list[Snippet]:
    """Those that resemble none of the others, each once."""
    overlap = Overlap(words for words, _ in others)
    once = {tuple(words): label for words, label in snippets if words not in overlap}
    return [(list(words), label) for words, label in once.items()]


def without_held_out(splits: Splits) -> tuple[Splits, Statistics]:
    """Drop from the training split what a held-out row says word for word: published splits stay as they are published."""
    held_out = {tuple(words) for split in ("valid", "test") for words, _ in splits[split]}
    train = [snippet for snippet in splits["train"] if tuple(snippet[0]) not in held_out]
    return {**splits, "train": train}, {"dropped_from_train": len(splits["train"]) - len(train)}


def prepare_snippets(splits: Splits, vectors: WordVectors, params: SnippetsPrepare, statistics: Statistics) -> Prepared:
    """Number the words.

    Args:
        splits: rows that need no more cleaning.
        vectors: pretrained ones, the most frequent word first.
        params: see params.yaml.
        statistics: of how the splits were made.
    """
    kept = {**splits, "train": splits["train"][: params.train_rows or None]}
    usable = (i for i, word in enumerate(vectors.vocabulary.words) if is_token(word))
    rows = list(islice(usable, params.vocabulary_size))
    tokenizer = WordTokenizer([vectors.vocabulary.words[i] for i in rows])
    texts = {s: [" ".join(words) for words, _ in kept[s]] for s in SPLITS}  # whose words are the same again
    encoded = {s: [tokenizer.encode(text) for text in texts[s]] for s in SPLITS}
    lengths = [len(ids) for ids in encoded["train"]]
    return Prepared(
        texts={s: {"text": texts[s], "label": [LABELS[label] for _, label in kept[s]]} for s in SPLITS},
        arrays={s: {"words": encoded[s], "label": [label for _, label in kept[s]]} for s in SPLITS},
        tokenizer=tokenizer,
        labels=LABELS,
        vectors=np.pad(vectors.matrix[rows], ((len(SPECIAL_TOKENS), 0), (0, 0))),
        statistics={
            **statistics,
            "positive_share": sum(label for _, label in kept["train"]) / len(kept["train"]),
            "out_of_vocabulary": sum(ids.count(UNK) for ids in encoded["train"]) / sum(lengths),
            "mean_length": sum(lengths) / len(lengths),
            "longest": max(lengths),
        },
    )
