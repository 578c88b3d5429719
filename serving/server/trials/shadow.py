"""What a shadow shows: how often it agrees with the version that answers, and how long both take."""

from dataclasses import dataclass
from pathlib import Path

from serving.records import Records
from serving.server.instance import Instance, State, Trial
from serving.server.trials.attempts import Attempts, Latency
from serving.server.trials.log import LOG
from serving.server.trials.running import end, proxied, running


@dataclass(frozen=True)
class Comparison:
    """What a shadow has shown so far.

    Attributes:
        champion: version that answers.
        challenger: version of the shadow.
        copies: requests that the challenger got.
        failed: of these, those that it did not answer.
        skipped: requests that it did not get, because too many were under way.
        pairs: inputs that both have answered.
        agreement: share of these with the same class or text; None if the answers are neither.
        champion_s: time to the champion's answers; None if there is no pair.
        challenger_s: the same for the challenger's.
    """

    champion: str
    challenger: str
    copies: int
    failed: int
    skipped: int
    pairs: int
    agreement: float | None
    champion_s: Latency | None
    challenger_s: Latency | None


def compare(model: str, folder: Path) -> Comparison:
    """What the shadow of a model has shown so far; the copies of the last second may not be counted yet.

    Raises:
        ControlError: the model has no shadow.
    """
    instance = Instance(folder)
    state = proxied(instance)
    return _compared(instance, state, model, running("shadow", model, state))


def finish(model: str, folder: Path) -> Comparison:
    """End the shadow of a model, and return what it has shown.

    Raises:
        ControlError: the model has no shadow.
    """
    instance = Instance(folder)
    with instance.locked():
        state = proxied(instance)
        trial = running("shadow", model, state)
        end(instance, state, model)
        return _compared(instance, state, model, trial)


def _compared(instance: Instance, state: State, model: str, trial: Trial) -> Comparison:
    champion = state.models[model].version
    copies = Attempts(instance.logs / LOG, model, trial.version, trial.since).read().challenger
    records = Records(state.records)
    pairs = list(records.pairs(model, champion, trial.version, trial.since))
    records.close()
    same = [pair.first == pair.second for pair in pairs if pair.first is not None and pair.second is not None]
    return Comparison(
        champion=champion,
        challenger=trial.version,
        copies=copies.requests,
        failed=copies.failed,
        skipped=copies.skipped,
        pairs=len(pairs),
        agreement=sum(same) / len(same) if same else None,
        champion_s=Latency.of([pair.first_s for pair in pairs]),
        challenger_s=Latency.of([pair.second_s for pair in pairs]),
    )
