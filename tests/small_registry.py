"""A small registry with records of answers, written as the stages and the server write them."""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Param

from models.text.json_files import write_json
from pipelines.lineage.rows import ARTIFACT, _digest, _key
from pipelines.stages.register import registration
from pipelines.tracking.runs import DEFAULT_URI, EXPERIMENT, INVOCATION
from serving.records import Feedback, Recorded, Records

RAW = {"people": ["a" * 64, "b" * 64], "places": ["a" * 64, "c" * 64]}  # data set -> sha256 of its files; they share one
PREPARED = {"surname": "0123456789abcdef0123456789abcdef.dir", "names": "89abcdef0123456789abcdef01234567.dir"}
ROWS = [("rossi", "Italian"), ("müller", "German")]
ARCHIVES = {"surname": ("1-aaaaaaaa", "2-bbbbbbbb"), "names": ("1-aaaaaaaa",)}
# Ids of requests. The first two begin with the same digits.
ANSWERED, SHADOWED, LOST = "5eed5eed" + "0" * 24, "5eed5eed" + "1" * 24, "fee1dead" + "2" * 24
T = 1_790_000_000.0  # time of the first answer, in seconds since 1970


def git(*arguments: str) -> str:
    author = ("-c", "user.name=A tester", "-c", "user.email=tester@example.org")
    return subprocess.run(["git", *author, *arguments], check=True, capture_output=True, text=True).stdout.strip()


class World:
    """What is in the working directory, which is a Git repository with a catalogue, MLflow's database and a server's folder.

    Attributes:
        commits: of the repository, by what they say.
        runs: ids of the runs, by build and stage, as in "first train@surname"; builds by their own name.
    """

    def __init__(self) -> None:
        self.commits, self.runs = dict[str, str](), dict[str, str]()
        git("init", "--quiet")
        Path(".gitignore").write_text("mlflow.db\nmlruns\n.serving\nparams.yaml\n", encoding="utf-8")
        self._write_catalogue()
        self.commit("lock of the first build", "first")
        self._client = MlflowClient(DEFAULT_URI)
        self._experiment = self._client.create_experiment(EXPERIMENT, artifact_location=str(Path("mlruns/1").resolve()))
        self._build_all()
        self._answer()

    def commit(self, subject: str, lock: str) -> None:
        """Commit everything, with another dvc.lock."""
        Path("dvc.lock").write_text(lock, encoding="utf-8")
        git("add", "--all")
        git("commit", "--quiet", "--message", subject)
        self.commits[subject] = git("rev-parse", "HEAD")

    def run(self, name: str, tags: Mapping[str, str], params: Mapping[str, str] | None = None) -> str:
        """A finished run, of a second after the one before."""
        stage = name.rpartition(" ")[2]
        started = int(T * 1000) + 1000 * len(self.runs)
        run_id = str(self._client.create_run(self._experiment, started, {"mlflow.runName": stage, **tags}, stage).info.run_id)
        self._client.log_batch(run_id, params=[Param(key, value) for key, value in (params or {}).items()])
        self._client.set_terminated(run_id, "FINISHED", started + 500)
        self.runs[name] = run_id
        return run_id

    def stage(self, build: str, stage: str, task: str, *, rate: str = "0.1", **tags: str) -> str:
        """A stage's run."""
        own = {"stage": stage, "task": task, "mlflow.parentRunId": self.runs[build], **self.origin(), **tags}
        return self.run(f"{build} {stage}@{task}", own, {"train.rate": rate})

    def origin(self) -> dict[str, str]:
        """Tags with the origin of a run that starts now."""
        lock = hashlib.sha256(Path("dvc.lock").read_bytes()).hexdigest()
        sets = {"dataset": "people", "dataset_sha256": " ".join(RAW["people"])}
        return {"git_commit": git("rev-parse", "HEAD"), "dvc_lock_sha256": lock, **sets}

    def registered(self, build: str, task: str, aliases: Sequence[str] = (), *, rows: bool = True, **tags: str) -> str:
        """A registered version, with all that the stages leave behind."""
        run_id = self.stage(build, "register", task, **tags)
        self._client.log_inputs(run_id, datasets=[logged(f"data/prepared/{task}", PREPARED[task]), logged("people", "f" * 32)])
        if rows:
            digests = np.unique(np.array([_digest(_key(*part)) for row in ROWS for part in (row, row[:1])], np.uint64))
            path = Path("mlruns") / ARTIFACT
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, digests)
            self._client.log_artifact(run_id, str(path), path.parent.name)
        name = f"seqline-{task}"
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        number = str(self._client.create_model_version(name, f"runs:/{run_id}/model", run_id).version)
        self._client.set_model_version_tag(name, number, "archive", ARCHIVES[task][int(number) - 1])
        for alias in aliases:
            self._client.set_registered_model_alias(name, alias, number)
        return run_id

    def _write_catalogue(self) -> None:
        def entry(name: str) -> dict[str, Any]:
            files = [
                {"name": f"{digest[0]}.csv", "size": 1, "sha256": digest, "sources": [{"kind": "local", "path": "x"}]}
                for digest in RAW[name]
            ]
            return {"title": f"Names of {name}", "licence": "CC0", "citation": "-", "redistributable": True, "files": files}

        Path("data").mkdir()
        Path("params.yaml").touch()
        Path("data/catalogue.yaml").write_text(yaml.safe_dump({name: entry(name) for name in RAW}), encoding="utf-8")

    def _build_all(self) -> None:
        """Builds: of version 1; a trial of other settings; of version 2, without training again; of another task, from code with
        uncommitted changes.
        """
        for name in ("first", "trial", "second", "third"):
            self.run(name, {INVOCATION: name})
        for stage in ("train", "export", "evaluate"):
            self.stage("first", stage, "surname")
        run_id = self.registered("first", "surname", ["champion"])
        write_json(Path("mlruns/surname.json"), registration(run_id, "surname", "1"))
        self.commit("lock with version 1", hashlib.md5(Path("mlruns/surname.json").read_bytes()).hexdigest())  # noqa: S324
        self.stage("trial", "train", "surname", rate="0.9")
        for stage in ("export", "evaluate"):
            self.stage("second", stage, "surname")
        self.registered("second", "surname", ["challenger"])
        self.stage("second", "train", "surname")  # too late for version 2
        self.commit("lock without version 1", "later")
        self.stage("third", "train", "names", git_commit=f"{git('rev-parse', 'HEAD')}+")
        self.registered("third", "names", rows=False, git_commit=f"{git('rev-parse', 'HEAD')}+", dvc_lock_sha256="d" * 64)

    def _answer(self) -> None:
        """Version 1 has answered five requests, and version 2 the copy of one. Feedback on two answers: one right, one wrong."""
        Path(".serving").mkdir()
        records = Records(Path(".serving/records.sqlite"))
        first, second = ARCHIVES["surname"]
        records.write([Recorded(ANSWERED, i, "surname", first, T, 0.003, said) for i, said in enumerate(("Italian", "Irish"))])
        records.write([Recorded(SHADOWED, 0, "surname", first, T + 1, 0.003, "German")])
        records.write([Recorded(SHADOWED, 0, "surname", second, T + 1, 0.004, "Polish")])
        records.write([Recorded(LOST, 0, "surname", "9-99999999", T + 2, 0.003, "German")])
        records.write([Recorded(f"{i:032x}", 0, "surname", first, T + 3 + i, 0.003, "German") for i in range(3)])
        records.judge(Feedback(ANSWERED, 0, "surname", first, T + 9, "Italian", True))
        records.judge(Feedback(ANSWERED, 1, "surname", first, T + 9, "German", False))
        records.close()


def logged(name: str, digest: str) -> DatasetInput:
    """A data set as an input of a run."""
    return DatasetInput(Dataset(name, digest, "local", name), [])
