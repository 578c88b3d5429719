"""Robustness to how people write: the part `written` of `benchmarks.serving`, with the predictors used in serving."""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from sacrebleu.metrics.bleu import BLEU

from benchmarks.scoring import bleu, translate
from models.text.normalize import normalize
from pipelines.data.catalogue import find_data_set, load_catalogue
from pipelines.data.prepared import read_texts
from pipelines.data.reading.rows import sources_of
from pipelines.kinds import parts
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.paths import BUNDLES, CATALOGUE, PREPARED, RAW
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from serving.predictor import load_predictor
from serving.predictors.translation import Translator

TASK: Final = "fr-en"
END: Final = re.compile(r"[.!?][\"')\]]*$")
SIZES: Final = (2, 3, 4)  # sentences per paragraph, cycled through
EACH: Final = 200  # texts per model
COLUMNS: Final = {"surname": "text", "sentiment": "text", "names": "text", "fr-en": "source"}
# Typographic variants of a character, and invisible characters.
SIBLINGS: Final = {
    "'": "\u2018\u2019\u02bc\u2032",
    '"': "\u201c\u201d\u201e\u00ab\u00bb",
    "-": "\u2010\u2011\u2013\u2212",
    " ": "\u00a0\u202f\u2009\u3000",
}
UNSEEN: Final = "\u200b\u00ad\u2060\ufeff\u200e"


def written() -> Figures:
    """Measure the translator's BLEU loss on capitals and paragraphs, and how many answers change with typography."""
    settings = load_params().task_of(TASK, TranslationTask)
    translator = Translator.load(BUNDLES / TASK, threads=2)

    def best(texts: Sequence[str]) -> list[str]:
        return translate(translator, texts, settings.evaluate.batch_size)

    return _cases(best) | _paragraphs(best, settings) | {"typography_changes": sum(map(_changes, [*COLUMNS, "vectors"]))}


def _cases(best: Callable[[Sequence[str]], list[str]]) -> Figures:
    """Return case-insensitive BLEU for the test set unchanged, in capitals and in title case."""
    test = read_texts(PREPARED / TASK, "test")
    caseless = BLEU(lowercase=True)
    ways: dict[str, Callable[[str], str]] = {"plain": str, "upper": str.upper, "title": str.title}
    scores = {
        way: caseless.corpus_score(best([change(text) for text in test["source"]]), [test["target"]]).score
        for way, change in ways.items()
    }
    return {f"case_{way}_bleu": score for way, score in scores.items()} | {
        "case_loss": scores["plain"] - min(scores["upper"], scores["title"])
    }


def _paragraphs(best: Callable[[Sequence[str]], list[str]], task: TranslationTask) -> Figures:
    """Measure the BLEU lost when test sentences of one group are translated as a paragraph rather than one by one.

    Sentences are joined as people write them: one without an end mark, mostly a title, is on a separate line. They are also
    joined with spaces only, which hides where such a sentence ends.
    """
    paragraphs = _grouped(task)
    alone = iter(best([source for pairs in paragraphs for source, _ in pairs]))
    references = [" ".join(target for _, target in pairs) for pairs in paragraphs]

    def score(texts: Sequence[str]) -> float:
        return bleu([" ".join(text.split()) for text in texts], references)

    apart = score([" ".join(next(alone) for _ in pairs) for pairs in paragraphs])
    written = score(
        best(["".join(source + (" " if END.search(source) else "\n") for source, _ in pairs) for pairs in paragraphs])
    )
    spaced = score(best([" ".join(source for source, _ in pairs) for pairs in paragraphs]))
    return {
        "paragraphs": len(paragraphs),
        "paragraph_bleu": written,
        "paragraph_loss": apart - written,
        "paragraph_loss_without_lines": apart - spaced,
    }


def _grouped(task: TranslationTask) -> list[list[tuple[str, str]]]:
    """Return the test sentences of each group in paragraphs of two to four."""
    test = read_texts(PREPARED / TASK, "test")
    wanted = set(zip(test["source"], test["target"], strict=True))
    groups: dict[str, dict[tuple[str, str], None]] = {}
    for source in sources_of(find_data_set(load_catalogue(CATALOGUE), task.data.set), task.data.set):
        for row in parts.data(task).rows(task, source, RAW / task.data.set):
            row = replace(row, source=normalize(row.source), target=normalize(row.target))
            if row.group and (row.source, row.target) in wanted:
                groups.setdefault(row.group, {})[row.source, row.target] = None
    paragraphs, size = list[list[tuple[str, str]]](), 0
    for pairs in map(list, groups.values()):
        while len(pairs) >= min(SIZES):
            taken = SIZES[size % len(SIZES)]
            paragraphs.append(pairs[:taken])
            pairs, size = pairs[taken:], size + 1
    return paragraphs


def _changes(model: str) -> int:
    """Count the answers that change with other quotation marks, hyphens and spaces, and with invisible characters."""
    predictor, draw = load_predictor(BUNDLES / model), random.Random(0)  # noqa: S311 - draws characters
    if model in COLUMNS:
        texts = read_texts(PREPARED / model, "test", EACH)[COLUMNS[model]]
    else:
        texts = ["don't know", "well-known king", *chain(*(read_texts(PREPARED / "surname", "test", EACH - 2).values()))][:EACH]

    def answer(text: str) -> object:
        parameters = {"seed": 1} if model == "names" else {}
        return predictor.answer([json.dumps({"inputs": text, "parameters": parameters}).encode()])[0]

    return sum(answer(text) != answer(_otherwise(text, draw)) for text in texts)


def _otherwise(text: str, draw: random.Random) -> str:
    changed = [
        draw.choice(SIBLINGS.get(character, character)) + draw.choice(UNSEEN) * (draw.random() < 0.2) for character in text
    ]
    return draw.choice(UNSEEN) + "".join(changed)
