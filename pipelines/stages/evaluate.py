"""Stage `evaluate`: measure the exported model on the test split. `python -m pipelines.stages.evaluate TASK`.

It evaluates what is served: the bundle, run by `serving.predictors`.
"""

import json
from dataclasses import replace
from pathlib import Path

from models.text.json_files import write_json
from pipelines.evaluation.curves import learning_curve
from pipelines.evaluation.findings import Report
from pipelines.kinds import parts
from pipelines.paths import BUNDLES, METRICS, PLOTS, PREPARED
from pipelines.settings.params import load_params
from pipelines.settings.tasks import Task
from pipelines.stage import StageError, rounded, run_stage
from pipelines.tracking.runs import track
from serving.bundle import BundleError


def evaluate(task: Task, bundle: Path, prepared: Path, seed: int) -> Report:
    """Evaluate the exported model of one task.

    Args:
        task: the task's block.
        bundle: the exported model.
        prepared: the task's prepared data.
        seed: seed of all random choices.

    Raises:
        StageError: the bundle is missing or damaged.
    """
    try:
        return parts.evaluation(task).evaluate(bundle, prepared, task, seed)
    except BundleError as error:
        raise StageError(f"{error}; `dvc repro` exports the bundle again") from error


def stated_before(name: str, task: Task) -> dict[str, float]:
    """Figures of earlier stages that belong next to the scores: the export's numerical error, and the best possible score."""
    found = _read(METRICS / "data" / f"{name}.json")
    stated = {key: found[key] for key in parts.evaluation(task).STATED if key in found}
    return {"onnx_max_abs_error": _read(METRICS / "export" / f"{name}.json")["onnx_max_abs_error"], **stated}


def _read(path: Path) -> dict[str, float]:
    content: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main(name: str) -> None:
    """Write metrics/TASK.json and plots/evaluate/TASK."""
    params = load_params()
    task, plots = params.task(name), PLOTS / "evaluate" / name
    with track("evaluate", name) as run:
        report = evaluate(task, BUNDLES / name, PREPARED / name, params.seed)
        curve = learning_curve(name, PLOTS / "train" / f"{name}.csv")
        report = replace(report, figures={**report.figures, "loss.png": curve})
        metrics = rounded({**report.metrics, **report.interval(params.seed), **stated_before(name, task)})
        write_json(METRICS / f"{name}.json", metrics)
        report.write_plots(plots)
        run.metrics(metrics)
        run.artifacts(plots)


if __name__ == "__main__":
    run_stage(main)
