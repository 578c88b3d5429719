"""A catalogue of lineage learns of every tracked stage; one that is slow, broken or away neither fails nor delays a stage."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from mlflow import MlflowClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

from pipelines.tracking import events
from pipelines.tracking.client import TRACKER
from pipelines.tracking.process import TrackerProcess
from pipelines.tracking.runs import EXPERIMENT

ROOT = Path(__file__).parents[3]
STAGE = """
import sys
import time
from pathlib import Path
from pipelines.stage import run_stage
from pipelines.tracking.runs import track

def main(end):
    with track("train", "names") as run:
        for path in ("build/weights/names/model.safetensors", "metrics/train/names.json", "plots/train/names.csv"):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(path)
        while not Path("received").exists():  # on a busy machine, the first event takes seconds
            time.sleep(0.1)
        if end == "broken":
            raise RuntimeError("broken on purpose")
        if end == "interrupted":
            raise KeyboardInterrupt

run_stage(main)
"""


class Catalogue(ThreadingHTTPServer):
    """A server that keeps the events it gets.

    Args:
        status: HTTP status of its answers.
        delay_s: seconds before each.
        folder: where it makes a file `received` after the first event.
    """

    daemon_threads = True

    def __init__(self, status: int = 201, delay_s: float = 0.0, folder: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.status, self.delay_s, self.folder = status, delay_s, folder
        self.received = list[tuple[str, dict[str, str], dict[str, Any]]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Receiver(BaseHTTPRequestHandler):
    server: Catalogue

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.delay_s)
        self.server.received.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if self.server.folder:
            (self.server.folder / "received").touch()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def catalogue(status: int = 201, delay_s: float = 0.0, folder: Path | None = None) -> Iterator[Catalogue]:
    if folder:
        (folder / "received").unlink(missing_ok=True)
    with Catalogue(status, delay_s, folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC repository with this project's pipeline, and the prepared data of one task."""
    made = tmp_path_factory.mktemp("announced")
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", "data/catalogue.yaml"):
        (made / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, made / name)
    (made / "data/prepared/names").mkdir(parents=True)
    (made / "data/prepared/names/tokenizer.json").write_text("{}", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=made, check=True)
    return made


def environment(folder: Path, url: str) -> dict[str, str]:
    own = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/runs.db", "OPENLINEAGE_API_KEY": "a-key"}
    return {**os.environ, **own, "OPENLINEAGE_URL": url}


def stage(folder: Path, end: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STAGE, end]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def rebuilt(event: dict[str, Any]) -> RunEvent:
    """The event as an object of OpenLineage's own classes, which check it; so are its facets."""

    def facets(given: Mapping[str, dict[str, Any]], known: Mapping[str, str]) -> dict[str, Any]:
        assert given.keys() <= known.keys()
        made = {}
        for name, content in given.items():
            module, _, kind = known[name].partition(".")
            facet = getattr(import_module(f"openlineage.client.generated.{module}"), kind)
            assert content["_schemaURL"] == facet._get_schema()
            assert content["_producer"] == events.PRODUCER
            made[name] = facet(**{key: value for key, value in content.items() if not key.startswith("_")})
        return made

    of_runs = {"parent": "parent_run.ParentRunFacet", "tags": "tags_run.TagsRunFacet"}
    of_runs |= {"errorMessage": "error_message_run.ErrorMessageRunFacet"}
    of_data = {"version": "dataset_version_dataset.DatasetVersionDatasetFacet"}
    return RunEvent(
        eventType=RunState(event["eventType"]),
        eventTime=event["eventTime"],
        run=Run(event["run"]["runId"], facets(event["run"]["facets"], of_runs)),
        job=Job(
            event["job"]["namespace"],
            event["job"]["name"],
            facets(event["job"]["facets"], {"jobType": "job_type_job.JobTypeJobFacet"}),
        ),
        inputs=[InputDataset(one["namespace"], one["name"], facets=facets(one["facets"], of_data)) for one in event["inputs"]],
        outputs=[OutputDataset(one["namespace"], one["name"], facets=facets(one["facets"], of_data)) for one in event["outputs"]],
        producer=event["producer"],
    )


def versions(files: Sequence[Any] | None) -> dict[str, str]:
    """Path of an input or output -> its digest."""
    return {one.name: one.facets["version"].datasetVersion if one.facets else "" for one in files or ()}


def facet(event: RunEvent, name: str) -> Any:
    """A facet of a run, with what it holds as plain dictionaries."""
    assert event.run.facets
    return event.run.facets[name]


def newest(folder: Path) -> Any:
    client = MlflowClient(f"sqlite:///{folder}/runs.db")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return client.search_runs([experiment.experiment_id], "tags.stage = 'train'", max_results=1)[0]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("tracked", [False, True], ids=["alone", "by the tracker"])
def test_events_name_run_code_and_data_with_their_digests(tracked: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = TrackerProcess()
    with catalogue(folder=folder) as server:
        variables = environment(folder, server.url)
        if tracked:
            monkeypatch.chdir(folder)
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            variables |= tracker.environment()
        try:
            done = stage(folder, "finished", variables)
        finally:
            tracker.close()
        assert (done.returncode, done.stderr) == (0, "")
        assert (TRACKER in variables) == tracked
        paths, headers, bodies = zip(*server.received, strict=True)
    assert set(paths) == {"/api/v1/lineage"}
    assert {one["Authorization"] for one in headers} == {"Bearer a-key"}
    run = newest(folder)
    start, complete = map(rebuilt, bodies)
    assert [start.eventType, complete.eventType] == [RunState.START, RunState.COMPLETE]
    assert start.eventTime < complete.eventTime
    for event in (start, complete):
        assert event.run.runId == str(UUID(run.info.run_id))
        assert facet(event, "parent").run["runId"] == str(UUID(run.data.tags["mlflow.parentRunId"]))
        tags = {one["key"]: one["value"] for one in facet(event, "tags").tags}
        for name in ("dvc_lock_sha256", "dataset", "dataset_sha256"):
            assert tags[name] == run.data.tags[name]
        assert (event.job.namespace, event.job.name) == ("seqline", "train.names")
        assert versions(event.inputs) == {"data/prepared/names": _dvc_digest(folder / "data/prepared/names")}
    outs = ("build/weights/names", "metrics/train/names.json", "plots/train/names.csv")
    assert versions(start.outputs) == dict.fromkeys(outs, "")
    assert versions(complete.outputs) == {name: _dvc_digest(folder / name) for name in outs}


def _dvc_digest(path: Path) -> str:
    """The digest that DVC would write to dvc.lock, by its command line."""
    folder = path.parent / "added"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy = shutil.copytree(path, folder / path.name) if path.is_dir() else Path(shutil.copyfile(path, folder / path.name))
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", str(copy)], cwd=folder, check=True)
    text = Path(f"{copy}.dvc").read_text(encoding="utf-8")
    shutil.rmtree(folder)
    return text.partition("md5: ")[2].partition("\n")[0]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("end", "state", "error"), [("broken", "FAIL", "broken on purpose"), ("interrupted", "ABORT", "KeyboardInterrupt")]
)
def test_the_end_of_a_failed_stage_is_told(end: str, state: str, error: str, folder: Path) -> None:
    with catalogue(folder=folder) as server:
        assert stage(folder, end, environment(folder, server.url)).returncode != 0
        _, event = (rebuilt(body) for _, _, body in server.received)
    assert event.eventType == RunState(state)
    assert facet(event, "errorMessage").message == error
    assert set(versions(event.outputs).values()) == {""}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_stage_prints_one_line_if_the_catalogue_is_away(folder: Path) -> None:
    (folder / "received").touch()
    done = stage(folder, "finished", environment(folder, "http://127.0.0.1:9"))
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("http://127.0.0.1:9 did not get all OpenLineage events of this stage: ")


@contextmanager
def announced_to(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The work of a stage that is in no pipeline, with a catalogue at this URL."""
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    tags = {"stage": "tree", "task": "names", "mlflow.parentRunId": "1" * 32}
    with events.announced("0" * 32, tags, "repro"):
        yield


@pytest.mark.parametrize("fault", ["away", "broken", "slow", "silent", "no URL"])
def test_a_catalogue_that_does_not_work_neither_fails_nor_delays_a_stage(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(events, "PATIENCE_S", 1.0)
    with catalogue(500 if fault == "broken" else 201, 60 if fault == "slow" else 0) as server, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if fault == "silent":
            silent.listen()
        bound = f"http://127.0.0.1:{silent.getsockname()[1]}"
        url = {"away": bound, "silent": bound, "no URL": "nowhere"}.get(fault, server.url)
        with announced_to(url, monkeypatch):
            began = time.monotonic()
        assert time.monotonic() - began < 30  # the answer of the slow one comes after 60
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{url} did not get all OpenLineage events of this stage: ")


@pytest.mark.parametrize("where", ["in the repository", "elsewhere"])
def test_a_stage_outside_the_pipeline_has_events_without_data(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path if where == "elsewhere" else ROOT)
    monkeypatch.setattr(events, "PATIENCE_S", 60.0)
    with catalogue() as server:
        with announced_to(server.url, monkeypatch):
            pass
        start, complete = (rebuilt(body) for _, _, body in server.received)
    assert not any((start.inputs, start.outputs, complete.inputs, complete.outputs))
    assert complete.job.name == "tree.names"


def test_nothing_is_sent_without_a_url_or_the_client(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with catalogue() as server:
        with announced_to("", monkeypatch):
            pass
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(events, "find_spec", lambda _: None)
        with announced_to(server.url, monkeypatch):
            pass
        assert server.received == []
    assert capsys.readouterr().err == "OPENLINEAGE_URL is set, but the extra openlineage is not installed: no events are sent\n"
