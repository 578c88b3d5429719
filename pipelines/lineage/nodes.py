"""The nodes of a lineage, with what is known about each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

from models.text.json_files import write_json
from pipelines.data.catalogue import DataSet, load_catalogue
from pipelines.lineage.answers import Answers
from pipelines.lineage.graph import Fact, Kind, Node
from pipelines.lineage.history import History, Run, Version
from pipelines.lineage.repository import SHORT, find_commit, lock_found, recorded_in
from pipelines.paths import CATALOGUE
from pipelines.stages.register import registration
from pipelines.tracking.runs import tracking_uri
from serving.records import Recorded

DIGITS: Final = 12  # of ids and digests in titles: enough to ask about them
UNCOMMITTED: Final = "+"  # after the commit of a run

Facts = dict[str, Fact]


@dataclass(frozen=True)
class Sources:
    """Everything that knows about lineage."""

    history: History
    answers: Answers
    catalogue: dict[str, DataSet]

    @classmethod
    def here(cls, instance: Path) -> Self:
        """Those of the working directory, MLFLOW_TRACKING_URI and a server's folder. Raises StageError like each of them."""
        return cls(History(tracking_uri()), Answers(instance), load_catalogue(CATALOGUE))

    def answer(self, answers: Sequence[Recorded]) -> Node:
        """An answer, by its records; those of other versions than the first are of shadows."""
        first = answers[0]
        own = [one for one in answers if one.version == first.version]
        facts: Facts = {"time": _time(datetime.fromtimestamp(first.at, UTC)), "version": first.version}
        facts |= {"said": said} if (said := [one.answer for one in own if one.answer]) else {}
        if marks := [mark.right for mark in map(self.answers.feedback, own) if mark]:
            facts["feedback"] = f"{sum(marks)} of {len(marks)} right"
        return Node(id=f"answer:{first.id}", kind="answer", title=f"{first.model} {first.id[:DIGITS]}", facts=facts)

    def model(self, version: Version) -> Node:
        """A registered version."""
        served = self.answers.served(version.task, version.archive, 0)
        facts: Facts = {"archive": version.archive} if version.archive else {}
        facts |= {"aliases": [*version.aliases]} if version.aliases else {}
        facts |= {"answers": served.count} if served.count else {}
        facts |= {"feedback": f"{served.right} of {served.judged} right"} if served.judged else {}
        return Node(id=f"model:{version.name}", kind="model", title=version.name, facts=facts)

    def data_set(self, name: str, read: Run | None = None) -> Node:
        """A raw data set.

        Args:
            name: its id in the catalogue.
            read: a run that has read it, perhaps with other files than it has now; by default it is as in the catalogue.
        """
        known = self.catalogue.get(name)
        files = self._files(name)
        own = [digest for digest in read.files if digest in files] if read else files
        facts: Facts = {"title": known.title, "licence": known.licence} if known else {}
        if read and set(own) != set(files):
            own += self._gone(read)
            facts["catalogue"] = "has other files now"
        state = hashlib.sha256(" ".join(sorted(own)).encode()).hexdigest()[:DIGITS]
        return Node(id=f"set:{name}@{state}", kind="set", title=name, facts={**facts, "sha256": own})

    def _gone(self, read: Run) -> list[str]:
        """The files that a run has read and that its data sets have no more."""
        still = {digest for name in read.data_sets for digest in self._files(name)}
        return [digest for digest in read.files if digest not in still]

    def _files(self, name: str) -> list[str]:
        known = self.catalogue.get(name)
        return [file.sha256 for file in known.files] if known else []


def unregistered(model: str, version: str) -> Node:
    """A version that gave answers but is not in the registry."""
    return Node(
        id=f"model:{model}@{version}", kind="model", title=f"{model}@{version}", facts={"registry": "has no such version"}
    )


def run_node(run: Run, facts: Facts | None = None) -> Node:
    """A run of a stage, or a build."""
    own: Facts = {"time": _time(run.started)}
    own |= {} if run.status == "FINISHED" else {"status": run.status}
    kind: Kind = "build" if run.is_build else "run"
    return Node(id=f"{kind}:{run.id}", kind=kind, title=f"{run.name} {run.id[:DIGITS]}", facts=own | (facts or {}))


def commit_node(written: str) -> Node:
    """A commit, as a run's tag has it: with `+` if there were uncommitted changes."""
    sha = written.rstrip(UNCOMMITTED)
    found = find_commit(sha)
    facts: Facts = {"subject": found.subject, "date": found.date} if found else {"repository": "does not have it"}
    facts |= {"changes": "not all committed"} if written != sha else {}
    return Node(id=f"commit:{sha}", kind="commit", title=sha[:SHORT], facts=facts)


def lock_node(sha256: str, commit: str, version: Version | None) -> Node:
    """The state of dvc.lock when a run began.

    DVC writes dvc.lock after each stage, so the state in the middle of a build is usually in no commit. What counts then is the
    later state that records the registration of the version.

    Args:
        sha256: its digest.
        commit: that of the run.
        version: the version that the run registered, if any.
    """
    place = lock_found(sha256, commit.rstrip(UNCOMMITTED))
    facts: Facts = {"found": place or "nowhere: DVC has changed it since"}
    if recorded := recorded_in(_registered(version)) if version else "":
        facts["model recorded"] = recorded
    return Node(id=f"dvc.lock:{sha256}", kind="dvc.lock", title=sha256[:DIGITS], facts=facts)


def data_node(name: str, digest: str) -> Node:
    """Prepared data, by the name of its folder."""
    title = f"{Path(name).name} {digest[:DIGITS]}"
    return Node(id=f"data:{Path(name).name}@{digest}", kind="data", title=title, facts={"path": name})


def _registered(version: Version) -> str:
    """The md5 of the output of the stage `register`, under which dvc.lock records a version."""
    with TemporaryDirectory(prefix="seqline-") as folder:
        path = Path(folder) / f"{version.task}.json"
        write_json(path, registration(version.run_id, version.task, version.number))
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _time(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds")
