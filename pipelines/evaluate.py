"""Stage `evaluate`: measure the exported model on the test split. `python -m pipelines.evaluate TASK`.

What is measured is what is served: the bundle, by the engines of `serving.predictors`.
"""

import json
from pathlib import Path

from pipelines.evaluation.report import Report
from pipelines.params import load_params
from pipelines.paths import BUNDLES, METRICS, PLOTS, PREPARED
from pipelines.settings.tasks import NamesTask, SentimentTask, SurnameTask, Task
from pipelines.stage import StageError, rounded, run_stage, write_json
from pipelines.tracking import track
from serving.bundle import BundleError

JUDGE = "surname"  # the task whose classifier says what generated names look like
CEILINGS = ("accuracy_ceiling", "rater_agreement")  # what the prepare stage may know of the best possible accuracy


def evaluate(settings: Task, bundle: Path, prepared: Path, seed: int, judge: Path) -> Report:
    """Measure the exported model of one task. A family's own tools are imported where they are used: some take seconds.

    Args:
        settings: see params.yaml.
        bundle: the exported model.
        prepared: what the prepare stage made of the task.
        seed: of all random choices.
        judge: the exported classifier that generated names are shown to.

    Raises:
        StageError: a bundle is missing or damaged.
    """
    try:
        if isinstance(settings, SurnameTask):
            from pipelines.evaluation.classification import evaluate_classification

            return evaluate_classification(bundle, prepared, settings.evaluate, seed)
        if isinstance(settings, NamesTask):
            from pipelines.evaluation.generation import evaluate_generation

            return evaluate_generation(bundle, prepared, settings.evaluate, seed, judge)
        if isinstance(settings, SentimentTask):
            from pipelines.evaluation.sentiment import evaluate_sentiment

            return evaluate_sentiment(bundle, prepared, settings.evaluate)
        from pipelines.evaluation.translation import evaluate_translation

        return evaluate_translation(bundle, prepared, settings.evaluate)
    except BundleError as error:
        raise StageError(f"{error}; `dvc repro` exports the bundle anew") from error


def stated_before(task: str, settings: Task) -> dict[str, float]:
    """What earlier stages measured that a reader wants beside the scores: the export's error, the best that can be expected."""
    stated = {"onnx_max_abs_error": _read(METRICS / "export" / f"{task}.json")["onnx_max_abs_error"]}
    if isinstance(settings, SurnameTask | SentimentTask):
        found = _read(METRICS / "data" / f"{task}.json")
        stated |= {key: found[key] for key in CEILINGS if key in found}
    return stated


def _read(path: Path) -> dict[str, float]:
    content: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main(task: str) -> None:
    """Write metrics/TASK.json and plots/evaluate/TASK."""
    params = load_params()
    settings, plots = params.task(task), PLOTS / "evaluate" / task
    with track("evaluate", task) as run:
        report = evaluate(settings, BUNDLES / task, PREPARED / task, params.seed, BUNDLES / JUDGE)
        metrics = rounded({**report.metrics, **stated_before(task, settings)})
        write_json(METRICS / f"{task}.json", metrics)
        report.write_plots(plots)
        run.metrics(metrics)
        run.artifacts(plots)


if __name__ == "__main__":
    run_stage(main)
