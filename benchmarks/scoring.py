"""Translation and BLEU scoring."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU

from serving.predictors.translation import Translator


def translate(translator: Translator, sources: Sequence[str], batch_size: int) -> list[str]:
    """Return the best translation of each source."""
    return [best.text for (best,) in translator.translate(sources, batch_size=batch_size)]


def bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """Return the corpus BLEU, computed as in the stage `evaluate`."""
    return float(BLEU().corpus_score(translations, [references]).score)
