"""One round of the loop: new rows, a training, the gate, a shadow."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.lineage.history import History
from pipelines.paths import REGISTERED
from pipelines.promotion.journal import events, note
from pipelines.promotion.promote import Decision, Promotion
from pipelines.retraining.intake import new_data, unfinished
from pipelines.retraining.names import EVENT, RESTORED
from pipelines.settings.gate import Retraining
from pipelines.settings.params import load_params
from pipelines.stage import StageError
from serving.registry import Registry
from serving.server.errors import ControlError
from serving.server.trials.running import start


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
            stage failed, or it gave the version of an earlier training.
    """
    params = load_params()
    params.task(task)
    check_limits(params.retraining, [datetime.fromisoformat(entry["time"]) for entry in events(task, EVENT)])
    if waiting := Promotion(task, params, uri).waiting():
        raise StageError(f"version {waiting} of {task} has passed the gate; promote or reject it before another training")
    found = new_data(task, params, instance)
    note(EVENT, task, reason=reason, rows=found.rows, instance=str(instance), until=found.until)
    _run(task, found.changes)
    version, promotion = _new_version(task, uri), Promotion(task, load_params(), uri)
    decision = promotion.promote(version) if params.retraining.promotion == "auto" else promotion.judge(version)
    shadow = decision.verdict != "held" and _shadow(task, decision.version, instance, uri, params.retraining.share)
    note("shadow" if shadow else "waiting", task, version=decision.version, verdict=decision.verdict)
    return Round(found.rows, decision, shadow)


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


def _run(task: str, changes: dict[str, str]) -> None:
    """Run the pipeline as a DVC experiment, which keeps the settings and results of this round."""
    options = [word for key, value in changes.items() for word in ("-S", f"{key}={value}")]
    command = [sys.executable, "-m", "pipelines.repro.side_by_side", *options, f"package@{task}"]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - this interpreter
        raise StageError(f"training {task} again failed; see the output above")


def _new_version(task: str, uri: str) -> str:
    """The version that the pipeline has registered in this round, or in one before that did not end.

    Raises:
        StageError: it is older. If the data is as it was in an earlier training, DVC restores the results of that one.
    """
    registered = json.loads((REGISTERED / f"{task}.json").read_text(encoding="utf-8"))
    run, began = History(uri).run(registered["run_id"]), unfinished(task)
    if run is None or began is None or run.started < began:
        note(RESTORED, task, version=registered["version"])
        raise StageError(f"version {registered['version']} of {task} is not new: the data is as it was when that one was trained")
    return str(registered["version"])


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
