"""What the stages that measure have in common: where they write what they found."""

from collections.abc import Callable

from pipelines.evaluation.report import Report
from pipelines.paths import METRICS
from pipelines.record import record
from pipelines.stage import StageError, fail, write_json
from pipelines.studies.gradients.settings import NAME, PLOTS, Settings, load_settings
from pipelines.tracking import track

BENCHMARK = "recurrent"  # the file of benchmarks/results that the figures go into
PACKAGES = ("torch",)


def run_part(stage: str, find: Callable[[Settings], Report]) -> None:
    """Write plots/studies/gradients/STAGE and metrics/studies/gradients/STAGE.json, and record the same figures for the README.

    Raises:
        SystemExit: with status 1 and one line, where the settings are wrong.
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
