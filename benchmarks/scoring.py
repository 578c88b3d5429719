"""A translator's translations and their score."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU

from serving.predictors.translation import Translator


def translate(translator: Translator, sources: Sequence[str], batch_size: int) -> list[str]:
    """The best translation of each."""
    return [best.text for (best,) in translator.translate(sources, batch_size=batch_size)]


def bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """As the stage `evaluate` has it."""
    return float(BLEU().corpus_score(translations, [references]).score)
