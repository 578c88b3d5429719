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
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from exactly import RANKS, exact
from learning import learn, learned
from waiting import until

from pipelines.data.corpora.words import prepare_words
from pipelines.settings.corpora import WordsPrepare
from pipelines.settings.params import Params
from pipelines.stage import StageError
from pipelines.stages.train import train
from pipelines.store import Split, write_split
from pipelines.tracking.runs import StageRun
from pipelines.training import cluster as driver
from pipelines.training import cluster_checks
from pipelines.training.work import Work
from serving.server.ports import free_port

PATIENCE_S = 300
EPOCHS = 4  # of the job that loses workers
ROUNDS = 40  # repetitions of its rows in an epoch, so that there is time to interrupt it
GRACE_S = "3"  # until the cluster gives up a killed client
MANY = 40  # epochs of the vectors that lose their worker
NAMES = ("fr-en", "elmo", "cbow")  # a task, and a method of each loop


class RayCluster:
    """A head node and another node, each a `ray start --block` with its own files, as on separate machines."""

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
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}  # the job must bring its own code
        environment["RAY_worker_niceness"] = "0"  # otherwise other processes, such as other tests, have priority
        environment["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = "15"  # until it counts nodes again after one was lost
        environment["RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"] = "120"  # as in docker/compose.yaml
        with log.open("w") as file:
            process = psutil.Popen([*command, "--block"], stdout=file, stderr=subprocess.STDOUT, env=environment)
        self.nodes.append(process)
        until(lambda: "Ray runtime started" in log.read_text() or process.poll() is not None, name, PATIENCE_S)
        assert process.poll() is None, log.read_text()

    def ranks(self) -> list[psutil.Process]:
        """The training processes."""
        found = [child for node in self.nodes for child in node.children(recursive=True)]
        return [process for process in found if "RayTrainWorker" in "".join(command_of(process))]

    def lose(self) -> None:
        """Kill the last node with all its processes, as in a power cut."""
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


def wait_for_checkpoint(storage: Path) -> None:
    """Wait until the first checkpoint is registered."""
    until(lambda: any(storage.rglob("checkpoint_manager_snapshot.json")), "the first checkpoint", PATIENCE_S)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A prepared corpus."""
    texts = [["the", king, "and", "a", queen, "rule", "the", "land"] for king in "abcdefgh" for queen in "abcdefgh"] * 40
    prepare_words(texts, WordsPrepare(min_count=1, limit=0), tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:  # Ray's sockets need short paths
        made = RayCluster(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


class Stage:
    """A training stage in its own folder, whose output is read line by line."""

    def __init__(self, folder: Path, name: str, address: str) -> None:
        self.lines: list[str] = []
        self.name, self.folder = name, folder
        environment = {
            **os.environ,
            "RAY_ADDRESS": address,
            "RAY_CLIENT_RECONNECT_GRACE_PERIOD": GRACE_S,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "learning", name],
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
        return [line.strip() for line in list(self.lines) if line.startswith(f"{self.name}: epoch")]

    def wait_for_epoch(self, epoch: int) -> None:
        until(lambda: len(self.rows()) >= epoch or self.process.poll() is not None, f"epoch {epoch}", PATIENCE_S)
        assert len(self.rows()) >= epoch, "".join(self.lines)

    def end(self, status: int = 0) -> str:
        assert self.process.wait(PATIENCE_S) == status, "".join(self.lines)
        self._reader.join()
        return "".join(self.lines)


def folder_of(folder: Path, name: str, data: Path, params: Params, storage: Path, **changed: int) -> Path:
    """A folder where a stage can run, with params.yaml and the prepared data."""
    (folder / "data/prepared").mkdir(parents=True)
    content = exact(params).model_dump(by_alias=True)
    content["cluster"] |= {"workers": RANKS, "storage": str(storage)}
    method = name in params.methods
    place = f"data/{params.method(name).data}" if method else f"data/prepared/{name}"
    (folder / place).symlink_to(data)
    (content["methods"][name] if method else content["tasks"][name]["train"]).update(changed)
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return folder


def at_home(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, torch.Tensor], int]:
    """The weights and number of epochs of the same stage in this process, with one thread."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(folder)
    epochs = learn(name, Params.model_validate(yaml.safe_load(Path("params.yaml").read_text())))
    found = learned(folder, name)
    shutil.rmtree("build")
    shutil.rmtree(".checkpoints", ignore_errors=True)
    return found, epochs


def assert_same(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], atol: float) -> None:
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=atol, msg=partial("{}: {}".format, name))


@pytest.mark.live
def test_parallel_stages_have_the_same_results_as_locally(
    cluster: RayCluster,
    small_params: Params,
    prepared: dict[str, Path],
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two need all cores, so that one must wait for the other; some connect from a node, others as remote clients."""
    storage = tmp_path / "storage"
    folders = {name: folder_of(tmp_path / name, name, prepared.get(name, corpus), small_params, storage) for name in NAMES}
    expected = {name: at_home(folder, name, monkeypatch) for name, folder in folders.items()}
    monkeypatch.delenv("OMP_NUM_THREADS")
    addresses = cycle((f"127.0.0.1:{cluster.port}", f"ray://127.0.0.1:{cluster.client_port}"))
    for stage in [Stage(folders[name], name, address) for name, address in zip(NAMES, addresses, strict=False)]:
        stage.end()
        found, epochs = expected[stage.name]
        assert_same(learned(stage.folder, stage.name), found, atol=1e-5)
        assert len(stage.rows()) == epochs
    assert list(storage.iterdir()) == []


@pytest.mark.live
def test_vectors_resume_from_the_last_epoch_after_losing_their_worker(
    cluster: RayCluster, small_params: Params, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "job", "cbow", corpus, small_params, tmp_path / "storage", epochs=MANY)
    found, _ = at_home(folder, "cbow", monkeypatch)
    stage = Stage(folder, "cbow", f"127.0.0.1:{cluster.port}")
    stage.wait_for_epoch(1)
    wait_for_checkpoint(tmp_path / "storage")
    until(lambda: len(cluster.ranks()) == 1, "one training process", PATIENCE_S)
    (rank,) = cluster.ranks()
    rank.send_signal(signal.SIGKILL)
    log = stage.end()
    assert_same(learned(folder, "cbow"), found, atol=0)
    assert [float(row.split()[2]) for row in stage.rows()] == [epoch + 1.0 for epoch in range(MANY)]
    assert len({*re.findall(r"RayTrainWorker pid=(\d+)\S* Reporting training result .*'epoch': 1\.0", log)}) == 1


@pytest.fixture(scope="module")
def long_data(prepared: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of `names` with some seconds per epoch."""
    data = tmp_path_factory.mktemp("long") / "names"
    shutil.copytree(prepared["names"], data)
    rows = Split(prepared["names"] / "train")
    columns = {name: [rows.row(i)[name].tolist() for i in range(len(rows))] * ROUNDS for name in ("characters", "label")}
    write_split(data / "train", columns)
    return data


MakeJob = Callable[[Path], Path]


@pytest.fixture(scope="module")
def make_job(small_params: Params, long_data: Path) -> MakeJob:
    """A function that creates a folder for training on these rows."""
    return lambda folder: folder_of(
        folder / "job", "names", long_data, small_params, folder / "storage", epochs=EPOCHS, patience=EPOCHS
    )


@pytest.fixture(scope="module")
def undisturbed(make_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], int]:
    """The weights and the number of epochs without any failure."""
    with pytest.MonkeyPatch.context() as patch:
        return at_home(make_job(tmp_path_factory.mktemp("home")), "names", patch)


@pytest.mark.live
def test_a_job_resumes_from_the_last_epoch_after_losing_a_worker_and_a_node(
    cluster: RayCluster, make_job: MakeJob, undisturbed: tuple[dict[str, torch.Tensor], int], tmp_path: Path
) -> None:
    job, (weights, epochs) = make_job(tmp_path), undisturbed
    stage = Stage(job, "names", f"127.0.0.1:{cluster.port}")
    stage.wait_for_epoch(1)
    wait_for_checkpoint(tmp_path / "storage")
    cluster.ranks()[0].send_signal(signal.SIGKILL)
    stage.wait_for_epoch(2)
    cluster.lose()
    log = stage.end()
    cluster.join()
    assert_same(learned(job, "names"), weights, atol=1e-3)
    assert [float(row.split()[2]) for row in stage.rows()] == [epoch + 1.0 for epoch in range(epochs)]
    assert "size 1" in log
    reports = re.findall(r"RayTrainWorker pid=(\d+)\S* Reporting training result .*'epoch': 1\.0", log)
    assert 0 < len(set(reports)) <= RANKS, "the first epoch was trained again"


@pytest.mark.live
def test_a_killed_stage_resumes(
    cluster: RayCluster, make_job: MakeJob, undisturbed: tuple[dict[str, torch.Tensor], int], tmp_path: Path
) -> None:
    job, (weights, epochs) = make_job(tmp_path), undisturbed
    address = f"ray://127.0.0.1:{cluster.client_port}"
    victim = Stage(job, "names", address)
    victim.wait_for_epoch(2)
    victim.process.kill()
    victim.end(-signal.SIGKILL)
    again = Stage(job, "names", address)
    log = again.end()
    assert_same(learned(job, "names"), weights, atol=1e-3)
    assert [float(row.split()[2]) for row in again.rows()] == [epoch + 1.0 for epoch in range(epochs)]
    before = len(victim.rows())
    assert 2 <= before < epochs
    assert again.rows()[:before] == victim.rows()
    assert "'epoch': 1.0" not in log


@pytest.mark.live
def test_unwritable_storage_is_reported_in_one_line_before_any_work(
    cluster: RayCluster, small_params: Params, prepared: dict[str, Path], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "job", "names", prepared["names"], small_params, Path("/proc/nowhere"))
    log = Stage(folder, "names", f"127.0.0.1:{cluster.port}").end(1)
    assert "error: cluster.storage: /proc/nowhere cannot be written on the cluster" in log
    assert "epoch" not in log


ANY = Work("names", "", Path(), "")


def on_cluster(params: Params, **changed: object) -> Params:
    content = params.model_dump(by_alias=True)
    content["device"] = changed.pop("device", "auto")
    content["cluster"] |= changed
    return Params.model_validate(content)


@pytest.mark.parametrize("address", ["somewhere", "http://127.0.0.1:8265", "ray://127.0.0.1", "127.0.0.1:99999999", "local"])
def test_an_invalid_address_is_reported(address: str) -> None:
    with pytest.raises(StageError, match="must be ray://host:10001, host:6379 or auto"):
        cluster_checks.check_answers(address)


@pytest.mark.parametrize("form", ["ray://127.0.0.1:{}", "127.0.0.1:{}"])
def test_without_a_listener_there_is_no_cluster(form: str) -> None:
    with pytest.raises(StageError, match=r"no Ray cluster answers at RAY_ADDRESS=.*refused"):
        cluster_checks.check_answers(form.format(free_port()))


@pytest.mark.parametrize("said", driver.START_FAILURES)
@pytest.mark.parametrize(("failures", "comes"), [(1, True), (driver.ATTEMPTS, False)])
def test_a_failed_start_of_a_clients_server_is_retried(
    failures: int, comes: bool, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ray = pytest.importorskip("ray")
    left = [said] * failures

    def init(*_: object, **__: object) -> None:
        if left:  # type and format of Ray 2.60's error if a client's server fails to start
            raise ConnectionAbortedError(
                f"Init Failure From Server:\nTraceback (most recent call last):\nRuntimeError: {left.pop()}"
            )

    monkeypatch.setattr(ray, "init", init)
    refused = contextlib.nullcontext() if comes else pytest.raises(StageError, match=said)
    with refused, driver.connected("ray://127.0.0.1:10001", tmp_path):
        pass
    assert not left


def test_a_silent_listener_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grpc")
    monkeypatch.setattr(cluster_checks, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(StageError, match=r"did not answer in 0\.2 s"):
            cluster_checks.check_answers(f"127.0.0.1:{silent.getsockname()[1]}")


def test_without_ray_the_error_says_how_to_install_it(
    small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder_of(tmp_path / "job", "names", prepared["names"], small_params, tmp_path))
    monkeypatch.setattr(cluster_checks, "find_spec", lambda _: None)
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
def test_insufficient_resources_are_reported_in_one_line(
    small_params: Params, wanted: dict[str, object], nodes: list[dict[str, float]], line: str
) -> None:
    with pytest.raises(StageError, match=line):
        cluster_checks.check_room("HERE", on_cluster(small_params, **wanted).cluster, ANY, nodes)


def test_sufficient_resources_are_accepted(small_params: Params) -> None:
    cluster = on_cluster(small_params, workers=3, cpus_per_worker=2).cluster
    cluster_checks.check_room("HERE", cluster, ANY, [{"CPU": 4.0}, {"CPU": 3.0}, {}])


def test_work_that_cannot_be_shared_needs_one_worker_without_a_gpu(small_params: Params) -> None:
    work = Work("cbow", "", Path(), "", shared=False, on_gpu=False)
    cluster_checks.check_room("HERE", on_cluster(small_params, workers=3, gpus_per_worker=1).cluster, work, [{"CPU": 1.0}])


@pytest.mark.parametrize(("device", "gpus"), [("cuda", 0), ("cpu", 1)])
def test_contradictory_device_and_gpus_are_an_error(small_params: Params, device: str, gpus: int) -> None:
    with pytest.raises(StageError, match=f"device: {device}, but cluster.gpus_per_worker is {gpus}"):
        cluster_checks.check_device(on_cluster(small_params, device=device, gpus_per_worker=gpus))


def test_data_above_rays_limit_is_an_error(
    small_params: Params, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder_of(tmp_path / "job", "names", prepared["names"], small_params, tmp_path))
    driver.pack(Path("data/prepared/names"), tmp_path / "fits")
    monkeypatch.setattr(driver, "LIMIT_MIB", 0)
    with pytest.raises(StageError, match=r"data/prepared/names is too large for the cluster: \d+ MiB"):
        driver.pack(Path("data/prepared/names"), tmp_path / "too-large")
