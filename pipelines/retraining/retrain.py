"""One round of the loop: new rows, a training, the gate, a shadow."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.lineage.answers import Answers
from pipelines.new.changing import changed, take_in
from pipelines.promotion.journal import events, note
from pipelines.promotion.promote import Decision, Promotion
from pipelines.retraining.data_set import combined, feedback_file
from pipelines.retraining.rows import fresh, merge, rows_of
from pipelines.settings.gate import Retraining
from pipelines.settings.params import Params, load_params
from pipelines.stage import StageError
from serving.registry import Registry
from serving.server.errors import ControlError
from serving.server.trials.running import start

EVENT = "retrain"


@dataclass(frozen=True)
class Round:
    """The result of a round.

    Attributes:
        rows: number of new or changed rows.
        decision: what the gate says about the new model.
        shadow: whether it gets a share of the requests now.
    """

    rows: int
    decision: Decision
    shadow: bool


def retrain(task: str, instance: Path, uri: str, reason: str) -> Round:
    """Train a task again on old and new rows, let the gate judge the model, and open it as a shadow if it passes.

    Args:
        task: the task.
        instance: the folder of the server whose feedback gives new rows.
        uri: of the tracking server.
        reason: why, for the journal.

    Raises:
        StageError: there is no such task, the limits in params.yaml do not allow it now, there is nothing new to learn, or a
            stage failed.
    """
    params = load_params()
    params.task(task)
    check_limits(params.retraining, [datetime.fromisoformat(entry["time"]) for entry in events(task, EVENT)])
    if waiting := Promotion(task, params, uri).waiting():
        raise StageError(f"version {waiting} of {task} has passed the gate; promote or reject it before another training")
    changes, rows = new_data(task, params, instance)
    note(EVENT, task, reason=reason, rows=rows)
    _run(task, changes)
    promotion = Promotion(task, load_params(), uri)
    decision = promotion.promote() if params.retraining.promotion == "auto" else promotion.judge()
    shadow = decision.verdict != "held" and _shadow(task, decision.version, instance, uri, params.retraining.share)
    note("shadow" if shadow else "waiting", task, version=decision.version, verdict=decision.verdict)
    return Round(rows, decision, shadow)


def check_limits(limits: Retraining, earlier: Sequence[datetime]) -> None:
    """Check that a task may be trained again now.

    Args:
        limits: the settings.
        earlier: when it was trained again before, oldest first, in UTC.

    Raises:
        StageError: it may not.
    """
    now = datetime.now(UTC)
    if earlier and now - earlier[-1] < timedelta(hours=limits.pause_hours):
        last = f"the last training began at {earlier[-1]:%Y-%m-%d %H:%M} UTC"
        raise StageError(f"{last}; retraining.pause_hours is {limits.pause_hours:g}")
    this_week = sum(now - time < timedelta(days=7) for time in earlier)
    if this_week >= limits.per_week:
        raise StageError(f"there were {this_week} trainings in the last seven days; retraining.per_week is {limits.per_week}")


def new_data(task: str, params: Params, instance: Path) -> tuple[dict[str, str], int]:
    """Take in feedback, or files of the task's own that have changed.

    Returns:
        the changes to params.yaml, and the number of rows or files.
    """
    judged = Answers(instance).judged(task)
    rows = rows_of(params.task(task).kind, judged) if judged else []
    file, count = feedback_file(task), fresh(feedback_file(task), rows)
    if count >= params.retraining.rows or (file.exists() and _failed(task)):
        if count:
            merge(file, rows)
        return combined(task, params), count
    if any(changed(params.task(task).data.set)):
        return {}, len(take_in(params.task(task).data.set))
    raise StageError(
        f"{task} has nothing new to learn: {count} new rows of feedback with inputs (retraining.rows is "
        f"{params.retraining.rows}; a server keeps inputs with --keep-inputs), and its files have not changed"
    )


def _failed(task: str) -> bool:
    """Whether the last training did not come as far as the gate, so that nothing has learned from its rows."""
    names = [entry["event"] for entry in events(task)]
    return EVENT in names and "gate" not in names[len(names) - names[::-1].index(EVENT) :]


def _run(task: str, changes: dict[str, str]) -> None:
    """Run the pipeline as a DVC experiment, which keeps the settings and results of this round."""
    options = [word for key, value in changes.items() for word in ("-S", f"{key}={value}")]
    command = [sys.executable, "-m", "pipelines.repro.side_by_side", *options, f"package@{task}"]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - this interpreter
        raise StageError(f"training {task} again failed; see the output above")


def _shadow(task: str, version: str, instance: Path, uri: str, share: float) -> bool:
    """Open a version as a shadow; returns false if no server with a proxy runs there."""
    registry = Registry(uri)
    with TemporaryDirectory() as folder:
        archive = registry.fetch(registry.find(task, version), Path(folder))
        try:
            start("shadow", archive, share, instance)
        except ControlError as error:
            note("no-shadow", task, version=version, reason=str(error))
            return False
    return True
