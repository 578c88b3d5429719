"""Writes the results of the measuring stages."""

from collections.abc import Callable

from models.text.json_files import write_json
from pipelines.evaluation.findings import Report
from pipelines.paths import METRICS
from pipelines.report.record import record
from pipelines.stage import StageError, fail
from pipelines.studies.gradients.settings import NAME, PLOTS, GradientsStudy, load_settings
from pipelines.tracking.runs import track

BENCHMARK = "recurrent"  # file in benchmarks/results for the figures
PACKAGES = ("torch",)


def run_part(stage: str, find: Callable[[GradientsStudy], Report]) -> None:
    """Write plots/studies/gradients/STAGE and metrics/studies/gradients/STAGE.json, and record the same figures for the README.

    Raises:
        SystemExit: with status 1, after a one-line message, if the settings are invalid.
    """
    try:
        settings = load_settings()
        with track(stage, NAME, settings) as run:
            report = find(settings)
            report.write_plots(PLOTS / stage)
            figures = {name: float(f"{value:.5g}") for name, value in report.metrics.items()}  # some are far below 1e-6
            write_json(METRICS / "studies" / NAME / f"{stage}.json", figures)
            record(BENCHMARK, f"make study NAME={NAME}", PACKAGES, figures)
            run.metrics(figures)
            run.artifacts(PLOTS / stage)
    except StageError as error:
        fail(str(error))
