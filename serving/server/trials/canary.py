"""A canary: a challenger that answers a share of the requests, until it does worse than the champion or has done enough."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.server.errors import ControlError
from serving.server.instance import Instance, Trial
from serving.server.trials.attempts import Attempts, Latency
from serving.server.trials.gate import ANSWERS, Gate
from serving.server.trials.judged import Judged, complaint
from serving.server.trials.log import LOG
from serving.server.trials.running import end, named, proxied, running, start

LOOK_S: Final = 0.5  # interval between two looks at the log
WAIT_S: Final = 10.0  # for another command on the instance, at the end of a canary
PAUSE_S: Final = 5.0  # until the end is tried again
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a canary ended.

    Attributes:
        champion: version that had the other requests.
        challenger: version of the canary.
        reason: why it was withdrawn; None if it passed.
        requests: that it got.
        failed: of these, those that the champion had to answer.
        champion_s: time to the champion's answers; None if there was none.
        challenger_s: the same for the canary's.
    """

    champion: str
    challenger: str
    reason: str | None
    requests: int
    failed: int
    champion_s: Latency | None
    challenger_s: Latency | None


@dataclass(frozen=True)
class Patience:
    """When a canary has done enough.

    Attributes:
        minutes: longest time.
        answers: the canary's answers that are enough before that; None if only the time counts.
    """

    minutes: float = 10.0
    answers: int | None = None

    def over(self, seconds: float, seen: Attempts) -> bool:
        """Whether it has, after some time and answers."""
        counts = (len(seen.champion.seconds), len(seen.challenger.seconds))
        enough = self.answers is not None and counts[0] >= ANSWERS and counts[1] >= self.answers
        return enough or seconds >= 60 * self.minutes


def run(archive: Path, share: float, folder: Path, gate: Gate, patience: Patience) -> Outcome:
    """Run a canary until it crosses the gate, has done enough, or is interrupted. The champion answers everything then.

    Args:
        archive: see `start`.
        share: see `start`.
        folder: see `start`.
        gate: what the canary may do worse than the champion.
        patience: when it has done enough.

    Raises:
        ControlError: it could not start, or another command ended it.
    """
    trial = start("canary", archive, share, folder)
    try:
        return _watch(Instance(folder), archive.stem, trial, gate, patience)
    finally:
        _withdraw(Instance(folder), archive.stem, trial)


def stop(model: str, folder: Path) -> None:
    """End the canary of a model, whose own command then ends, too, if it still runs.

    Raises:
        ControlError: the model has no canary.
    """
    instance = Instance(folder)
    with instance.locked():
        state = proxied(instance)
        running("canary", model, state)
        end(instance, state, model)


def _watch(instance: Instance, model: str, trial: Trial, gate: Gate, patience: Patience) -> Outcome:
    state = proxied(instance)
    champion = state.models[model].version
    seen, began = Attempts(instance.logs / LOG, model, trial.version, trial.since), time.monotonic()
    while True:
        if proxied(instance).trials.get(model) != trial:
            raise ControlError(f"{named(model, trial)} was ended by another command")
        seen.read()
        over = patience.over(time.monotonic() - began, seen)
        theirs, ours = (Judged.of(state.records, model, version, trial.since) for version in (champion, trial.version))
        reason = gate.crossed(seen.champion, seen.challenger, over=over) or complaint(theirs, ours, gate.worse)
        if reason or over:
            break
        time.sleep(LOOK_S)
    return Outcome(
        champion=champion,
        challenger=trial.version,
        reason=reason,
        requests=seen.challenger.requests,
        failed=seen.challenger.failed,
        champion_s=Latency.of(seen.champion.seconds),
        challenger_s=Latency.of(seen.challenger.seconds),
    )


def _withdraw(instance: Instance, model: str, trial: Trial) -> None:
    """End a canary, or try again until the server itself has ended: nobody would watch a canary that stays open."""
    while instance.processes() and not _ended(instance, model, trial):
        time.sleep(PAUSE_S)


def _ended(instance: Instance, model: str, trial: Trial) -> bool:
    try:
        with instance.locked(WAIT_S):
            state = instance.state()
            if state.trials.get(model) == trial:
                end(instance, state, model)
    except ControlError as error:
        logger.warning("%s still gets requests, and its end is tried again: %s", named(model, trial), error)
        return False
    return True
