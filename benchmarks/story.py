"""A round of the loop, played on a small model: drift, an alert, a training, the gate, shadow, promotion, canary, and back.

Requests go on all the time, by several clients behind nginx. Real parts play all roles: TorchServe, nginx, Prometheus,
Alertmanager, MLflow, DVC.
"""

import ast
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
import requests

from benchmarks.alerting import alerting
from benchmarks.complete import lineage_complete
from benchmarks.own_data import SEQLINE, run
from pipelines.lineage.graph import Graph
from pipelines.paths import JOURNAL, PREPARED, RAW
from pipelines.promotion.journal import events
from serving.server.certificate import SELF_SIGNED
from serving.server.instance import Instance

TASK: Final = "surname"
# The smoke profile's models know hardly anything: here they have to learn a new label, and test rows have to show it.
LARGER: Final = {"prepare.limit_per_label": "300", "model.ngram_buckets": "16384", "train.epochs": "10", "evaluate.limit": "0"}
LIMITS: Final = ("retraining.rows=100", "retraining.pause_hours=0", "retraining.per_week=1")
CLIENTS: Final = 3
PAUSE_S: Final = 0.03  # between a client's requests
PATIENCE_S: Final = 600.0
NEW_LABEL: Final = "Estonian"


@dataclass
class Told:
    """What happened.

    Attributes:
        statuses: of all answers to the clients: status -> number.
        versions: that gave them: X-Model-Version -> number.
        refused: number of corrections that the server did not take.
        decisions: the gate's verdicts in order.
        alert_to_challenger_s: seconds from the alert to the gate's verdict about the challenger.
        agreement: of the shadow.
        champions: version numbers of the champion, in order.
        canary: what `seqline canary` said about the bad challenger.
        complete: share of the sampled answers whose lineage is complete.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    decisions: list[str] = field(default_factory=list)
    alert_to_challenger_s: float = 0.0
    agreement: str = ""
    champions: list[str] = field(default_factory=list)
    canary: str = ""
    complete: float = 0.0

    @property
    def failed(self) -> int:
        """Number of requests without an answer."""
        return sum(count for status, count in self.statuses.items() if status != 200)


class Rig:
    """A clone with a served model, and clients that ask it all the time.

    Args:
        clone: of the project.
        told: what happens.
    """

    def __init__(self, clone: Path, told: Told) -> None:
        self.clone, self.told = clone, told
        self.instance = Instance(clone / ".serving")
        self.names: Sequence[str] = ()  # that the clients ask about
        self.labels: dict[str, str] = {}  # the right ones, as far as the clients know
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._ids: list[str] = []

    def seqline(self, *arguments: str) -> str:
        """Run a command and return its output.

        Raises:
            CalledProcessError: it failed.
        """
        return run(self.clone, *SEQLINE, *arguments)

    def status(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of a command that may fail."""
        done = subprocess.run([*SEQLINE, *arguments], cwd=self.clone, capture_output=True, text=True, check=False)  # noqa: S603
        return done.returncode, done.stdout + done.stderr

    def champion(self) -> None:
        """Promote the challenger, and note what the gate said and who is the champion."""
        self.status("promote", TASK)
        self.judged()

    def judged(self) -> dict[str, Any]:
        """The gate's last decision, which is noted."""
        decision = self.events("gate")[-1]
        self.told.decisions.append(decision["verdict"])
        if decision["verdict"] in ("promoted", "back"):
            self.told.champions.append(decision["version"])
        return decision

    def events(self, name: str) -> list[dict[str, Any]]:
        """The journal's entries of one name."""
        return events(TASK, name, self.clone / JOURNAL)

    @contextmanager
    def clients(self) -> Iterator[None]:
        """Clients ask about the names, one after the other, and correct the answers whose labels they know."""
        threads = [threading.Thread(target=self._client, args=(i,)) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _client(self, place: int) -> None:
        url = f"https://127.0.0.1:{self.instance.state().ports.front}"
        name, _, value = self.instance.authorization.read_text(encoding="utf-8").strip().partition(": ")
        session, asked = requests.Session(), place
        session.trust_env, session.verify = False, str(self.instance.folder / SELF_SIGNED)  # its own, self-signed
        session.headers[name] = value
        while not self._ended.wait(PAUSE_S):
            text = self.names[asked % len(self.names)]
            asked += CLIENTS
            answer = session.post(f"{url}/predictions/{TASK}", json={"inputs": text}, timeout=60)
            with self._lock:
                self.told.statuses[answer.status_code] += 1
                self.told.versions[answer.headers.get("X-Model-Version", "none")] += 1
            if answer.ok and text in self.labels:
                said = {"id": answer.headers["X-Request-Id"], "label": self.labels[text]}
                taken = session.post(f"{url}/feedback", json=said, timeout=60)
                self.told.refused += not taken.ok
                self._ids.append(said["id"])

    def complete(self, sample: int) -> float:
        """The share of the latest answers whose lineage has a version, a run, a commit, a state of dvc.lock, and data."""
        whole = 0
        for answer in self._ids[-sample:]:
            graph = Graph.model_validate_json(self.seqline("lineage", answer, "--json"))
            whole += all(lineage_complete(graph).values())
        return whole / len(self._ids[-sample:])


@contextmanager
def built(clone: Path) -> Iterator[Path]:
    """Build the model in a clone, on the smoke profile; the server is stopped at the end."""
    lines = (clone / "profiles/smoke.txt").read_text(encoding="utf-8").splitlines()
    sizes = dict(line.partition("#")[0].strip().split("=") for line in lines if line.startswith(f"tasks.{TASK}."))
    sizes |= {f"tasks.{TASK}.{key}": value for key, value in LARGER.items()}
    options = [word for change in (*map("=".join, sizes.items()), *LIMITS) for word in ("-S", change)]
    run(clone, sys.executable, "-m", "pipelines.repro.side_by_side", *options, f"package@{TASK}")
    try:
        yield clone
    finally:
        run(clone, *SEQLINE, "down")


def play(clone: Path) -> Told:
    """Play the whole round in a clone with a model.

    Raises:
        CalledProcessError: a command failed that must not.
        TimeoutError: something did not happen.
    """
    told = Told()
    rig = Rig(clone, told)
    rig.champion()
    rig.seqline("up", "--proxy", "--keep-inputs", "--port", "0")
    known = _test_rows(clone)
    rig.names, rig.labels = list(known), known
    with rig.clients():
        _drift(rig)
        _trial(rig)
        _mistake(rig)
        _back(rig)
    told.complete = rig.complete(10)
    return told


def _drift(rig: Rig) -> None:
    """Names of another language come, with corrections, until an alert has led to a challenger that the gate has judged."""
    with _watching(rig) as port, alerting(rig.clone, rig.instance.state().ports.exporter, port):
        rig.names = _estonian(rig.clone)
        rig.labels = dict.fromkeys(rig.names, NEW_LABEL)
        _until(lambda: len(rig.events("gate")) > 1, "a challenger")
        began, judged = (rig.events(name)[-1]["time"] for name in ("retrain", "gate"))
        rig.told.alert_to_challenger_s = (datetime.fromisoformat(judged) - datetime.fromisoformat(began)).total_seconds()
        rig.judged()
        _until(lambda: rig.events("shadow") or rig.events("waiting"), "a shadow")


def _trial(rig: Rig) -> None:
    """The shadow answers, too; then the challenger becomes the champion, and is served."""
    _until(lambda: "with the same answer" in rig.seqline("shadow", TASK), "the shadow's answers")
    _until(lambda: _pairs(rig) >= 50, "answers of both")
    rig.told.agreement = rig.seqline("shadow", TASK)
    rig.champion()
    rig.seqline("deploy", f"{TASK}@champion")


def _mistake(rig: Rig) -> None:
    """Somebody mixes up the labels of the training rows. The gate holds the model, and so does a canary."""
    (labels,) = (rig.clone / PREPARED / TASK / "train").glob("label.npy")
    shuffled = np.random.default_rng(0).permutation(np.load(labels))
    labels.unlink()  # a link into DVC's cache, perhaps
    np.save(labels, shuffled)
    for one in ("train", "export", "evaluate", "register", "package"):
        run(rig.clone, sys.executable, "-m", f"pipelines.stages.{one}", TASK)
    rig.champion()
    status, said = rig.status("canary", f"{TASK}@challenger", "--share", "0.3", "--minutes", "3")
    rig.told.canary = said.strip().splitlines()[-1] if status else "passed"


def _back(rig: Rig) -> None:
    """Back to the first champion."""
    rig.seqline("promote", TASK, "--back", "the story ends")
    rig.judged()
    rig.seqline("deploy", f"{TASK}@champion")


@contextmanager
def _watching(rig: Rig) -> Iterator[int]:
    """Run `seqline watch`; yields its port."""
    log = rig.clone / "watch.log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            [*SEQLINE, "watch", "--listen", "127.0.0.1:0"], cwd=rig.clone, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        _until(lambda: "listening on" in log.read_text(encoding="utf-8"), "the watch")
        yield int(log.read_text(encoding="utf-8").split("/alerts")[0].rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


def _test_rows(clone: Path) -> dict[str, str]:
    table = pq.read_table(clone / PREPARED / TASK / "test.parquet").to_pydict()
    return dict(zip(table["text"], table["label"], strict=True))


def _estonian(clone: Path) -> list[str]:
    """Surnames of a language that the model was not trained on, from a library whose other names it was trained on."""
    (path,) = (clone / RAW).glob("**/person/et_EE/__init__.py")
    assigned = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Assign))
    (names,) = (node.value for node in assigned if ast.unparse(node.targets[0]) == "last_names_est")
    return [str(name) for name in ast.literal_eval(names)]


def _pairs(rig: Rig) -> int:
    return int(rig.seqline("shadow", TASK).partition(" inputs answered by both")[0].rpartition("\n")[2])


def _until(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come in {PATIENCE_S:.0f} s")
        time.sleep(0.5)
