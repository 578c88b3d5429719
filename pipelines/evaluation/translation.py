"""How close a translator comes to people's translations."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipelines.evaluation.heat_map import heat_map
from pipelines.evaluation.report import Report
from pipelines.preparation.prepared import further_tests, read_texts
from pipelines.settings.tasks import TranslationEvaluate
from pipelines.stage import threads
from serving.bundle import Decoding
from serving.predictors.translation import Translator


def evaluate_translation(bundle: Path, prepared: Path, settings: TranslationEvaluate) -> Report:
    """Translate the test split with the exported model, as it is decoded when served, and compare with the references.

    Args:
        bundle: the exported model.
        prepared: what the prepare stage made of the same task.
        settings: see params.yaml.

    Returns:
        bleu and chrf with their sacrebleu signatures (Post 2018, arXiv 1804.08771), 0 to 100; length_ratio, of the translations
        over the references in words; greedy_bleu, what a beam of 1 gets; copy_bleu and copy_chrf, what the untranslated
        sources get. Of each further test set, under its name, what a beam search and the untranslated sources get:
        test_2017_flickr_bleu, and so on. All translations as a table, the first ones' attention as figures.

    Raises:
        BundleError: the folder is no intact translation bundle.
    """
    test = read_texts(prepared, "test", settings.limit)
    sources, references = test["source"], test["target"]
    translator = Translator.load(bundle, threads=threads())
    greedily = translator.decoding.model_copy(update={"num_beams": 1})
    hypotheses, greedy = (translate(translator, sources, settings.batch_size, how) for how in (translator.decoding, greedily))
    bleu, chrf = BLEU(), CHRF()
    score = bleu.corpus_score(hypotheses, [references])
    return Report(
        metrics={
            "bleu": score.score,
            "chrf": chrf.corpus_score(hypotheses, [references]).score,
            "length_ratio": score.ratio,
            "greedy_bleu": bleu.corpus_score(greedy, [references]).score,
            "copy_bleu": bleu.corpus_score(sources, [references]).score,
            "copy_chrf": chrf.corpus_score(sources, [references]).score,
            "bleu_signature": str(bleu.get_signature()),
            "chrf_signature": str(chrf.get_signature()),
            **_further_scores(translator, prepared, settings),
        },
        tables={
            "translations.tsv": [
                {"source": s, "reference": r, "hypothesis": h} for s, r, h in zip(sources, references, hypotheses, strict=True)
            ]
        },
        figures=heat_maps(translator, sources[: settings.heat_maps]),
    )


def translate(translator: Translator, sources: Sequence[str], batch_size: int, decoding: Decoding) -> list[str]:
    """Each source's best translation."""
    return [best.text for (best,) in translator.translate(sources, decoding, batch_size=batch_size)]


def _further_scores(translator: Translator, prepared: Path, settings: TranslationEvaluate) -> dict[str, float]:
    """What the test sets beside the test split give, each score under its set's name."""
    bleu, chrf, scores = BLEU(), CHRF(), {}
    for name in further_tests(prepared):
        texts = read_texts(prepared, name, settings.limit)
        hypotheses, references = (
            translate(translator, texts["source"], settings.batch_size, translator.decoding),
            [texts["target"]],
        )
        for prefix, answers in ((name, hypotheses), (f"{name}_copy", texts["source"])):
            scores[f"{prefix}_bleu"] = bleu.corpus_score(answers, references).score
            scores[f"{prefix}_chrf"] = chrf.corpus_score(answers, references).score
    return scores


def heat_maps(translator: Translator, sources: Sequence[str]) -> dict[str, Figure]:
    """The attention behind each source's translation."""
    found = translator.translate(sources, attention=True)
    alignments = [best.alignment for (best,) in found if best.alignment is not None]
    return {f"attention/{i:02}.png": heat_map(alignment) for i, alignment in enumerate(alignments, start=1)}
