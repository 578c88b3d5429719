"""Promotes challengers: compares, decides, moves the alias, and writes down why."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pipelines.lineage.history import History
from pipelines.lineage.rows import Digests
from pipelines.paths import PREPARED
from pipelines.promotion.gate import Check, checks, held_back
from pipelines.promotion.journal import note
from pipelines.promotion.models import measured, unpack, unseen
from pipelines.promotion.names import CHALLENGER, CHAMPION, FORMER, GATE
from pipelines.settings.params import Params
from pipelines.stage import StageError
from pipelines.tracking.server import connect, in_one_line
from serving.registry import Registered, Registry, named

Verdict = Literal["passed", "held", "promoted", "forced", "rejected", "back"]


@dataclass(frozen=True)
class Decision:
    """A decision about a version of a model.

    Attributes:
        verdict: passed (the gate holds), held (it does not), promoted (it holds, and this is the champion now), forced (a
            person's decision against the gate), rejected (a person's), back (the former champion is the champion again).
        task: the model's task.
        version: the version that it is about.
        champion: the champion before; None if there was none.
        reason: in one line.
        checks: the gate's figures.
    """

    verdict: Verdict
    task: str
    version: str
    champion: str | None
    reason: str
    checks: tuple[Check, ...] = ()


class Promotion:
    """The registry's models of one task.

    Args:
        task: the task, or the name of word vectors.
        params: the settings.
        uri: of the tracking server.
    """

    def __init__(self, task: str, params: Params, uri: str) -> None:
        self._task, self._params, self._uri = task, params, uri
        self._registry, self._history, self._client = Registry(uri), History(uri), connect(uri, 0)

    def judge(self, which: str = CHALLENGER) -> Decision:
        """Compare a version with the champion, and leave the promotion to a person.

        Args:
            which: alias or number of the version.

        Raises:
            StageError: a version, its archive or the test rows are missing, the model has no test rows, or it is the champion.
        """
        return self._judged(which, "passed")

    def waiting(self) -> str | None:
        """The challenger that has passed the gate and waits for a person's decision; None if there is none."""
        if self._find(CHALLENGER) is None:
            return None
        with in_one_line(self._uri):
            version = self._client.get_model_version_by_alias(named(self._task), CHALLENGER)
        return str(version.version) if json.loads(version.tags.get(GATE, "{}")).get("verdict") == "passed" else None

    def promote(self, which: str = CHALLENGER) -> Decision:
        """Make a version the champion if the gate holds. Arguments and errors are those of `judge`."""
        return self._judged(which, "promoted")

    def force(self, which: str, reason: str) -> Decision:
        """Make a version the champion without a comparison."""
        return self._decide("forced", *self._both(which), reason)

    def reject(self, reason: str) -> Decision:
        """Take the alias from the challenger."""
        return self._decide("rejected", self._need(CHALLENGER), self._find(CHAMPION), reason)

    def back(self, reason: str) -> Decision:
        """Make the former champion the champion again.

        Raises:
            StageError: there is none.
        """
        former, champion = self._find(FORMER), self._find(CHAMPION)
        if former is None:
            raise StageError(f"{self._task} has no former champion to go back to")
        return self._decide("back", former, champion, reason)

    def _judged(self, which: str, verdict: Verdict) -> Decision:
        challenger, champion = self._both(which)
        if champion is None:
            return self._decide(verdict, challenger, None, "there was no champion to compare with")
        found = self._checks(champion, challenger)
        if failed := held_back(found):
            return self._decide("held", challenger, champion, "; ".join(check.reason for check in failed), found)
        return self._decide(verdict, challenger, champion, found[0].reason, found)

    def _both(self, which: str) -> tuple[Registered, Registered | None]:
        """A version, and the champion if there is one."""
        challenger, champion = self._need(which), self._find(CHAMPION)
        if champion and champion.number == challenger.number:
            raise StageError(f"version {champion.number} of {self._task} is the champion already")
        return challenger, champion

    def _checks(self, champion: Registered, challenger: Registered) -> list[Check]:
        if self._task in self._params.vectors:
            raise StageError("word vectors have no test rows for the gate; promote them with --force REASON")
        task, prepared = self._params.task(self._task), PREPARED / self._task
        if not prepared.exists():
            raise StageError(f"{prepared} with the test rows is missing; `dvc repro prepare@{self._task}` makes it")
        with TemporaryDirectory() as folder:
            models = [
                unpack(self._registry.fetch(one, Path(folder) / one.number), Path(folder) / one.number / "bundle")
                for one in (champion, challenger)
            ]
            seen = [digests for one in (champion, challenger) if (digests := self._training_rows(one)) is not None]
            old, new = measured(models, task, prepared, unseen(task, prepared, seen))
            return checks(self._params.gate, old, new, self._params.seed)

    def _training_rows(self, version: Registered) -> Digests | None:
        """The digests of the rows that a version was trained on; None if they were not kept."""
        return self._history.train_rows(self._history.find(self._task, version.number))

    def _find(self, which: str) -> Registered | None:
        known = {alias for version in self._history.versions(self._task) for alias in version.aliases}
        return self._registry.find(self._task, which) if which in known else None

    def _need(self, which: str) -> Registered:
        return self._registry.find(self._task, which)

    def _decide(
        self, verdict: Verdict, version: Registered, champion: Registered | None, reason: str, found: list[Check] | None = None
    ) -> Decision:
        """Move the aliases as decided, and write the decision to the registry and the journal."""
        before = champion.number if champion else None
        decision = Decision(verdict, self._task, version.number, before, reason, tuple(found or ()))
        entry = note("gate", **asdict(decision))
        with in_one_line(self._uri):
            self._client.log_text(version.run_id, json.dumps(entry, indent=1), f"{GATE}/{entry['time']}.json")
            self._registry.tag(version, GATE, json.dumps({"verdict": verdict, "reason": reason[:4000], "time": entry["time"]}))
            self._move(verdict, version, champion)
        return decision

    def _move(self, verdict: Verdict, version: Registered, champion: Registered | None) -> None:
        name = named(self._task)
        if verdict in ("passed", "held"):
            return
        if verdict != "rejected":
            if champion:
                self._client.set_registered_model_alias(name, FORMER, champion.number)
            self._client.set_registered_model_alias(name, CHAMPION, version.number)
        challenger = self._find(CHALLENGER)
        if challenger and challenger.number == version.number:
            self._client.delete_registered_model_alias(name, CHALLENGER)
