"""The translator on everyday sentences: parts of `benchmarks.translation`, on Tatoeba as the profile `everyday` splits it."""

from pathlib import Path

from benchmarks.pipeline import fresh_clone
from benchmarks.profiles import measured, run_profile
from benchmarks.scoring import bleu, translate
from benchmarks.timing import stopwatch
from pipelines.params import load_params
from pipelines.paths import BUNDLES, PREPARED
from pipelines.preparation.prepared import read_texts
from pipelines.record import Figures
from serving.predictors.translation import Translator

TASK, PROFILE = "fr-en", "everyday"
PAIRS = 1000  # that the default profile's model is scored on


def everyday() -> Figures:
    """BLEU of the profile on its held-out groups, and the seconds of all that the task needs, download and training included."""
    seconds: list[float] = []
    with fresh_clone() as clone:
        with stopwatch(seconds):
            run_profile(PROFILE, clone, [f"evaluate@{TASK}"])
        return {"everyday_bleu": measured(clone, TASK)["bleu"], "everyday_s": seconds[0]}


def default_everyday() -> Figures:
    """BLEU of the model that is here on the profile's first held-out pairs, by the predictor that is served."""
    with fresh_clone() as clone:
        run_profile(PROFILE, clone, [f"prepare@{TASK}"])
        return {"default_everyday_bleu": everyday_bleu(BUNDLES / TASK, clone / PREPARED / TASK)}


def everyday_bleu(bundle: Path, prepared: Path) -> float:
    """BLEU of a bundle's model on the first PAIRS rows of a prepared test split."""
    test, settings = read_texts(prepared, "test", PAIRS), load_params().fr_en.evaluate
    return bleu(translate(Translator.load(bundle), test["source"], settings.batch_size), test["target"])
