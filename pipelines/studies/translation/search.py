"""Study `translation`, stage `search`: the best network's BLEU by beam width, and heat maps of its attention.

`python -m pipelines.studies.translation.search translation`.
"""

from collections.abc import Mapping, Sequence
from time import perf_counter

from pipelines.data.prepared import read_texts
from pipelines.evaluation.findings import Report
from pipelines.kinds.translation.evaluation import heat_maps, translate
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.paths import PLOTS, PREPARED
from pipelines.settings.params import load_params, read_settings
from pipelines.stage import run_stage, threads
from pipelines.studies.translation.figures import draw_beams
from pipelines.studies.translation.found import best_attention, bundles, read_found
from pipelines.studies.translation.lines import named
from pipelines.studies.translation.scores import bleu_interval, statistics
from pipelines.studies.translation.settings import NAME, SETTINGS, TASK, TranslationStudy
from serving.predictors.translation import Translator

FOLDER = PLOTS / "studies" / NAME / "search"


def search(
    translator: Translator, texts: Mapping[str, Sequence[str]], beams: int, batch_size: int, resamples: int
) -> dict[str, float]:
    """BLEU with its interval for one beam width, the length ratio to the references, and sentences per second."""
    decoding = translator.decoding.model_copy(update={"num_beams": beams})  # unvalidated: the limit is for requests
    start = perf_counter()
    hypotheses = translate(translator, texts["source"], batch_size, decoding)
    seconds = perf_counter() - start
    sentences = statistics(hypotheses, texts["target"])
    words, reference_words = sentences.sum(axis=0)[-2:]
    scores = named("bleu", bleu_interval(sentences[None], resamples))
    return {"beams": beams, **scores, "length_ratio": float(words / reference_words), "sentences_s": len(hypotheses) / seconds}


def main(_: str) -> None:
    """Write plots/studies/translation/search."""
    settings, batch_size = (
        read_settings(SETTINGS, TranslationStudy),
        load_params().task_of("fr-en", TranslationTask).evaluate.batch_size,
    )
    best, texts = best_attention(read_found()), read_texts(PREPARED / TASK, "test")
    translator = Translator.load(bundles(best) / str(settings.seeds[0]), threads=threads())
    rows = [search(translator, texts, beams, batch_size, settings.resamples) for beams in settings.beams]
    pictures = {"beams.png": draw_beams(rows), **heat_maps(translator, texts["source"][: settings.heat_maps])}
    Report({}, {"beams.csv": rows}, pictures).write_plots(FOLDER)


if __name__ == "__main__":
    run_stage(main)
