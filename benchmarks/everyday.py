"""The translator on everyday sentences: parts of `benchmarks.translation`, on the `everyday` profile's split of Tatoeba."""

from pathlib import Path

from benchmarks.pipeline import fresh_clone
from benchmarks.profiles import measured, run_profile
from benchmarks.scoring import bleu, translate
from benchmarks.timing import stopwatch
from pipelines.data.prepared import read_texts
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.paths import BUNDLES, PREPARED
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from serving.predictors.translation import Translator

TASK, PROFILE = "fr-en", "everyday"
PAIRS = 1000  # number of pairs for scoring the default profile's model


def everyday() -> Figures:
    """Measure the profile's BLEU on its held-out groups, and the seconds for all stages of the task, download included."""
    seconds: list[float] = []
    with fresh_clone() as clone:
        with stopwatch(seconds):
            run_profile(PROFILE, clone, [f"evaluate@{TASK}"])
        return {"everyday_bleu": measured(clone, TASK)["bleu"], "everyday_s": seconds[0]}


def default_everyday() -> Figures:
    """Measure the BLEU of the model in build/bundles on the profile's first held-out pairs, with the serving predictor."""
    with fresh_clone() as clone:
        run_profile(PROFILE, clone, [f"prepare@{TASK}"])
        return {"default_everyday_bleu": everyday_bleu(BUNDLES / TASK, clone / PREPARED / TASK)}


def everyday_bleu(bundle: Path, prepared: Path) -> float:
    """Return the BLEU of a bundle's model on the first PAIRS rows of a prepared test split."""
    test, settings = read_texts(prepared, "test", PAIRS), load_params().task_of(TASK, TranslationTask).evaluate
    return bleu(translate(Translator.load(bundle), test["source"], settings.batch_size), test["target"])
