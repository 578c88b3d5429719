"""Evaluates a translator against reference translations."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipelines.data.prepared import further_tests, read_texts
from pipelines.evaluation.findings import Report
from pipelines.evaluation.scores import Scores, by_length
from pipelines.kinds.translation.evaluation.heat_map import heat_map
from pipelines.kinds.translation.evaluation.kept import kept
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.stage import threads
from serving.bundle import Decoding
from serving.predictors.translation import Translator

STATED: tuple[str, ...] = ()
TOKENIZE = {"zh": "zh", "ja": "char", "th": "char", "lo": "char", "km": "char", "my": "char"}  # other languages: 13a


def evaluate(bundle: Path, prepared: Path, task: TranslationTask, _: int) -> Report:
    """Translate the test split with the exported model, with the decoding that is served, and compare with the references.

    Args:
        bundle: the exported model.
        prepared: the prepare stage's output for the same task.
        task: see params.yaml.

    Returns:
        bleu and chrf with their sacrebleu signatures (Post 2018, arXiv 1804.08771), 0 to 100; length_ratio, the length of the
        translations over that of the references in words; greedy_bleu, with a beam of 1; copy_bleu and copy_chrf, of the
        untranslated sources; kept_numbers and kept_names, see `kept`. For each additional test set the scores of beam search
        and of the untranslated sources, with the set's name as a prefix: test_2017_flickr_bleu, and so on. All translations
        as a table, the attention of the first ones as figures.

    Raises:
        BundleError: the folder is not an intact translation bundle.
    """
    settings = task.evaluate
    test = read_texts(prepared, "test", settings.limit)
    sources, references = test["source"], test["target"]
    translator = Translator.load(bundle, threads=threads())
    greedily = translator.decoding.model_copy(update={"num_beams": 1})
    hypotheses, greedy = (translate(translator, sources, settings.batch_size, how) for how in (translator.decoding, greedily))
    bleu, chrf = bleu_of(task.prepare.target), CHRF()
    score = bleu.corpus_score(hypotheses, [references])
    return Report(
        metrics={
            "bleu": score.score,
            "chrf": chrf.corpus_score(hypotheses, [references]).score,
            "length_ratio": score.ratio,
            "greedy_bleu": bleu.corpus_score(greedy, [references]).score,
            "copy_bleu": bleu.corpus_score(sources, [references]).score,
            "copy_chrf": chrf.corpus_score(sources, [references]).score,
            **kept(sources, references, hypotheses),
            "bleu_signature": str(bleu.get_signature()),
            "chrf_signature": str(chrf.get_signature()),
            **_further_scores(translator, prepared, task),
        },
        tables={
            "translations.tsv": [
                {"source": s, "reference": r, "hypothesis": h} for s, r, h in zip(sources, references, hypotheses, strict=True)
            ]
        },
        figures=heat_maps(translator, sources[: settings.heat_maps]),
        scores=of_sentences(test, hypotheses),
    )


def score(bundle: Path, prepared: Path, task: TranslationTask) -> Scores:
    """The chrF of each sentence's translation, with the decoding that is served; by length of the source."""
    rows = read_texts(prepared, "test", task.evaluate.limit)
    translator = Translator.load(bundle, threads=threads())
    return of_sentences(rows, translate(translator, rows["source"], task.evaluate.batch_size, translator.decoding))


def of_sentences(rows: Mapping[str, Sequence[str]], hypotheses: Sequence[str]) -> Scores:
    """The chrF of each sentence (Popović 2015), 0 to 100."""
    chrf = CHRF(eps_smoothing=True)
    found = [chrf.sentence_score(h, [r]).score for h, r in zip(hypotheses, rows["target"], strict=True)]
    return Scores("sentence_chrf", np.array(found), larger_is_better=True, slices={"length": by_length(rows["source"])})


def translate(translator: Translator, sources: Sequence[str], batch_size: int, decoding: Decoding) -> list[str]:
    """Each source's best translation."""
    return [best.text for (best,) in translator.translate(sources, decoding, batch_size=batch_size)]


def bleu_of(language: str) -> BLEU:
    """BLEU for a language; for languages without spaces between words, with sacrebleu's tokenizer or by characters."""
    return BLEU(tokenize=TOKENIZE.get(language.partition("-")[0], "13a"))


def _further_scores(translator: Translator, prepared: Path, task: TranslationTask) -> dict[str, float]:
    """The scores on additional test sets, prefixed with the set's name."""
    settings = task.evaluate
    bleu, chrf, scores = bleu_of(task.prepare.target), CHRF(), {}
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
    """The attention of each source's translation."""
    found = translator.translate(sources, attention=True)
    alignments = [sentence.alignment for (best,) in found for sentence in best.sentences if sentence.alignment is not None]
    return {f"attention/{i:02}.png": heat_map(alignment) for i, alignment in enumerate(alignments, start=1)}
