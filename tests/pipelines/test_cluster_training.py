"""Training on a Ray cluster: a real one, of two nodes of one core, on this machine."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file
from test_world import RANKS, exact
from waiting import until

from pipelines.params import Params
from pipelines.stage import StageError
from pipelines.store import Split, write_split
from pipelines.tracking import StageRun
from pipelines.train import train
from pipelines.training import cluster as driver
from pipelines.training import preflight

PATIENCE_S = 300
EPOCHS = 4  # of the job that loses workers
ROUNDS = 40  # of its rows in an epoch, which then takes long enough for it to be interrupted
STAGE = """
import sys
from pipelines.params import load_params
from pipelines.stage import StageError
from pipelines.tracking import StageRun
from pipelines.train import train
try:
    train(sys.argv[1], load_params(), StageRun(None, ""))
except StageError as error:
    sys.exit(f"error: {error}")
"""
TASKS = ("surname", "fr-en")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RayCluster:
    """A head node and a further one, each a `ray start --block` with files of its own, as on another machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.client_port = folder, free_port(), free_port()
        self.nodes: list[psutil.Popen] = []

    def start(self) -> None:
        self._start(
            "head",
            "--head",
            f"--port={self.port}",
            f"--ray-client-server-port={self.client_port}",
            "--include-dashboard=false",
        )
        self.join()

    def join(self) -> None:
        self._start("node", f"--address=127.0.0.1:{self.port}")

    def _start(self, name: str, *options: str) -> None:
        sizes = ("--num-cpus=1", "--num-gpus=0", "--object-store-memory=80000000")
        command = [
            shutil.which("ray") or "ray",
            "start",
            *options,
            *sizes,
            "--node-ip-address=127.0.0.1",
            f"--temp-dir={tempfile.mkdtemp(dir=self.folder)}",
            "--disable-usage-stats",
        ]
        log = self.folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}  # it has to bring its own code
        environment["RAY_worker_niceness"] = "0"  # else what runs beside it, other tests among that, comes first
        environment["RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"] = "120"  # as in docker/compose.yaml
        with log.open("w") as file:
            process = psutil.Popen([*command, "--block"], stdout=file, stderr=subprocess.STDOUT, env=environment)
        self.nodes.append(process)
        until(lambda: "Ray runtime started" in log.read_text() or process.poll() is not None, name, PATIENCE_S)
        assert process.poll() is None, log.read_text()

    def ranks(self) -> list[psutil.Process]:
        """The processes that train."""
        found = [child for node in self.nodes for child in node.children(recursive=True)]
        return [process for process in found if "RayTrainWorker" in "".join(command_of(process))]

    def lose(self) -> None:
        """Let the last node die with all of its processes, as by a power cut."""
        node = self.nodes.pop()
        for process in [*node.children(recursive=True), node]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        node.wait()

    def stop(self) -> None:
        while self.nodes:
            self.lose()


def command_of(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:  # Ray's sockets take short paths alone
        made = RayCluster(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


class Stage:
    """A stage `train` in a folder of its own, whose lines are read as they come."""

    def __init__(self, folder: Path, task: str, address: str) -> None:
        self.lines: list[str] = []
        self.task, self.folder = task, folder
        environment = {**os.environ, "RAY_ADDRESS": address, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", STAGE, task],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def rows(self) -> list[str]:
        return [line.strip() for line in list(self.lines) if line.startswith(f"{self.task}: epoch")]

    def wait_for_epoch(self, epoch: int) -> None:
        until(lambda: len(self.rows()) >= epoch or self.process.poll() is not None, f"epoch {epoch}", PATIENCE_S)
        assert len(self.rows()) >= epoch, "".join(self.lines)

    def end(self, status: int = 0) -> str:
        assert self.process.wait(PATIENCE_S) == status, "".join(self.lines)
        self._reader.join()
        return "".join(self.lines)

    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / f"build/weights/{self.task}/model.safetensors")


def folder_of(folder: Path, task: str, data: Path, params: Params, storage: Path, **changed: int) -> Path:
    """Where a stage can run: params.yaml and the task's prepared data."""
    (folder / "data/prepared").mkdir(parents=True)
    (folder / "data/prepared" / task).symlink_to(data)
    content = exact(params).model_dump(by_alias=True)
    content["cluster"] |= {"workers": RANKS, "storage": str(storage)}
    content[task]["train"] |= changed
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return folder


def at_home(folder: Path, task: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """What the same stage makes in process."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(folder)
    params = Params.model_validate(yaml.safe_load(Path("params.yaml").read_text()))
    history = train(task, params, StageRun(None, ""))
    weights = load_file(f"build/weights/{task}/model.safetensors")
    shutil.rmtree("build")
    return weights, history


def assert_same(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], atol: float) -> None:
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=atol, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.live
def test_two_stages_side_by_side_bring_home_what_they_would_make_there(
    cluster: RayCluster, small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each asks for all cores, so that one has to wait for the other; one asks from a node, one from anywhere."""
    storage = tmp_path / "storage"
    folders = {task: folder_of(tmp_path / task, task, prepared[task], small_params, storage) for task in TASKS}
    expected = {task: at_home(folder, task, monkeypatch) for task, folder in folders.items()}
    addresses = (f"127.0.0.1:{cluster.port}", f"ray://127.0.0.1:{cluster.client_port}")
    stages = [Stage(folders[task], task, address) for task, address in zip(TASKS, addresses, strict=True)]
    for stage in stages:
        stage.end()
        weights, history = expected[stage.task]
        assert_same(stage.weights(), weights, atol=1e-5)
        assert len(stage.rows()) == len(history)
    assert list(storage.iterdir()) == []


@pytest.fixture
def long_job(tmp_path: Path, small_params: Params, prepared: dict[str, Path]) -> Path:
    """A folder to train `names` in, for some seconds an epoch."""
    data = tmp_path / "long"
    shutil.copytree(prepared["names"], data)
    rows = Split(prepared["names"] / "train")
    columns = {name: [rows.row(i)[name].tolist() for i in range(len(rows))] * ROUNDS for name in ("characters", "label")}
    write_split(data / "train", columns)
    return folder_of(tmp_path / "job", "names", data, small_params, tmp_path / "storage", epochs=EPOCHS, patience=EPOCHS)


@pytest.mark.live
def test_a_job_that_loses_a_worker_and_then_a_node_goes_on_from_its_last_epoch(
    cluster: RayCluster, long_job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, history = at_home(long_job, "names", monkeypatch)
    stage = Stage(long_job, "names", f"127.0.0.1:{cluster.port}")
    stage.wait_for_epoch(1)
    until(
        lambda: any(long_job.with_name("storage").rglob("checkpoint_manager_snapshot.json")), "the first checkpoint", PATIENCE_S
    )
    cluster.ranks()[0].send_signal(signal.SIGKILL)
    stage.wait_for_epoch(2)
    cluster.lose()
    log = stage.end()
    cluster.join()
    assert_same(stage.weights(), weights, atol=1e-3)
    assert [float(row.split()[2]) for row in stage.rows()] == [row["epoch"] for row in history]
    assert "size 1" in log
    reports = re.findall(r"RayTrainWorker pid=(\d+)\S* Reporting training result .*'epoch': 1\.0", log)
    assert 0 < len(set(reports)) <= RANKS, "the first epoch was trained again"


@pytest.mark.live
def test_a_stage_that_was_killed_goes_on_when_it_runs_again(
    cluster: RayCluster, long_job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, history = at_home(long_job, "names", monkeypatch)
    address = f"ray://127.0.0.1:{cluster.client_port}"
    victim = Stage(long_job, "names", address)
    victim.wait_for_epoch(2)
    victim.process.kill()
    victim.end(-signal.SIGKILL)
    again = Stage(long_job, "names", address)
    log = again.end()
    assert_same(again.weights(), weights, atol=1e-3)
    assert [float(row.split()[2]) for row in again.rows()] == [row["epoch"] for row in history]
    assert again.rows()[:2] == victim.rows()
    assert "'epoch': 1.0" not in log


@pytest.mark.live
def test_storage_that_cannot_be_written_is_one_line_before_any_work(
    cluster: RayCluster, small_params: Params, prepared: dict[str, Path], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "job", "names", prepared["names"], small_params, Path("/proc/nowhere"))
    log = Stage(folder, "names", f"127.0.0.1:{cluster.port}").end(1)
    assert "error: cluster.storage: /proc/nowhere cannot be written on the cluster" in log
    assert "epoch" not in log


def on_cluster(params: Params, **changed: object) -> Params:
    content = params.model_dump(by_alias=True)
    content["device"] = changed.pop("device", "auto")
    content["cluster"] |= changed
    return Params.model_validate(content)


@pytest.mark.parametrize("address", ["somewhere", "http://127.0.0.1:8265", "ray://127.0.0.1", "127.0.0.1:99999999", "local"])
def test_what_is_no_address_is_named(address: str) -> None:
    with pytest.raises(StageError, match="has to be ray://host:10001, host:6379 or auto"):
        preflight.check_answers(address)


@pytest.mark.parametrize("form", ["ray://127.0.0.1:{}", "127.0.0.1:{}"])
def test_where_nothing_listens_there_is_no_cluster(form: str) -> None:
    with pytest.raises(StageError, match=r"no Ray cluster answers at RAY_ADDRESS=.*refused"):
        preflight.check_answers(form.format(free_port()))


@pytest.mark.parametrize("said", driver.START_FAILURES)
@pytest.mark.parametrize(("failures", "comes"), [(1, True), (driver.ATTEMPTS, False)])
def test_a_head_that_does_not_start_a_clients_server_is_asked_again(
    failures: int, comes: bool, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray")
    left = [said] * failures

    def init(*_: object, **__: object) -> None:
        if left:  # the type and form of what Ray 2.60 raises where a client's server ends at its start
            raise ConnectionAbortedError(
                f"Init Failure From Server:\nTraceback (most recent call last):\nRuntimeError: {left.pop()}"
            )

    monkeypatch.setattr(ray, "init", init)
    refused = contextlib.nullcontext() if comes else pytest.raises(StageError, match=said)
    with refused, driver.connected("ray://127.0.0.1:10001", tmp_path):
        pass
    assert not left


def test_what_listens_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grpc")
    monkeypatch.setattr(preflight, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(StageError, match=r"did not answer in 0\.2 s"):
            preflight.check_answers(f"127.0.0.1:{silent.getsockname()[1]}")


def test_without_ray_the_line_says_how_to_install_it(
    small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder_of(tmp_path / "job", "names", prepared["names"], small_params, tmp_path))
    monkeypatch.setattr(preflight, "find_spec", lambda _: None)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(StageError, match=r"Ray is not installed here: pip install .*workers"):
        train("names", small_params, StageRun(None, ""))


@pytest.mark.parametrize(
    ("wanted", "nodes", "line"),
    [
        ({"workers": 3}, [{"CPU": 1.0}, {"CPU": 1.0}], "cluster.workers is 3, but the cluster at HERE has room for 2 of 1 CPU"),
        ({"workers": 1, "cpus_per_worker": 2}, [{"CPU": 1.0}, {"CPU": 1.0}], "room for 0 of 2 CPU"),
        ({"workers": 1, "gpus_per_worker": 1}, [{"CPU": 4.0}], "the cluster at HERE has no GPU"),
        ({"workers": 2, "gpus_per_worker": 1}, [{"CPU": 4.0, "GPU": 1.0}], "room for 1 of 1 CPU and 1 GPU"),
    ],
)
def test_more_than_the_cluster_has_is_one_line(
    small_params: Params, wanted: dict[str, object], nodes: list[dict[str, float]], line: str
) -> None:
    with pytest.raises(StageError, match=line):
        preflight.check_room("HERE", on_cluster(small_params, **wanted), nodes)


def test_what_fits_is_accepted(small_params: Params) -> None:
    preflight.check_room("HERE", on_cluster(small_params, workers=3, cpus_per_worker=2), [{"CPU": 4.0}, {"CPU": 3.0}, {}])


@pytest.mark.parametrize(("device", "gpus"), [("cuda", 0), ("cpu", 1)])
def test_device_and_gpus_that_contradict_each_other_are_an_error(small_params: Params, device: str, gpus: int) -> None:
    with pytest.raises(StageError, match=f"device: {device}, but cluster.gpus_per_worker is {gpus}"):
        preflight.check_device(on_cluster(small_params, device=device, gpus_per_worker=gpus))


def test_more_data_than_ray_sends_is_an_error(
    small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder_of(tmp_path / "job", "names", prepared["names"], small_params, tmp_path))
    driver.pack("names", tmp_path / "fits")
    monkeypatch.setattr(driver, "LIMIT_MIB", 0)
    with pytest.raises(StageError, match="data/prepared/names is too large for the cluster: 1 MiB"):
        driver.pack("names", tmp_path / "too-large")
