"""Ranks on one machine's cores: they compute the same as one process, and none of them is left running."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch
from exactly import TASKS, exact
from lightning_fabric import Fabric
from torch import nn
from waiting import until

from models.loss import Loss
from pipelines.settings.params import Params
from pipelines.training.begin import begin
from pipelines.training.fit import fit
from pipelines.training.loop import Loop
from pipelines.training.ranks import LEAST_UNITS, rank_count, train_by_ranks
from pipelines.training.work import Row
from pipelines.training.world import World

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(prepared: dict[str, Path], tmp_path: Path) -> Path:
    (tmp_path / "data/prepared").mkdir(parents=True)
    for task in TASKS:
        (tmp_path / "data/prepared" / task).symlink_to(prepared[task])
    return tmp_path


@pytest.mark.parametrize("task", TASKS)
def test_ranks_end_with_the_weights_of_one_process(
    task: str, small_params: Params, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.training.ranks.LEAST_UNITS", 1)  # for these small batches
    outcomes = []
    for cores in (1, 3):
        monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
        with contextlib.chdir(data):
            model, job = begin(task, exact(small_params), data / f"{task}-{cores}")
            outcomes.append(fit(model, job, lambda _: None))
    (weights, history), (shared, together) = outcomes
    for name, tensor in weights.items():
        torch.testing.assert_close(shared[name], tensor, rtol=0, atol=1e-5, msg=partial("{}: {}".format, name))
    assert together == [pytest.approx(row, rel=1e-5) for row in history]


def test_interrupted_ranks_resume_with_the_same_result(small_params: Params, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.training.ranks.LEAST_UNITS", 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    params = exact(small_params)

    def stop(_: Row) -> None:
        raise KeyboardInterrupt

    before = multiprocessing.active_children()  # including workers of other tests
    with contextlib.chdir(data):
        undisturbed, rows = fit(*begin("names", params, data / "undisturbed"), lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            fit(*begin("names", params, data / "stopped"), stop)
        until(lambda: {*multiprocessing.active_children()} <= {*before}, "the other ranks end")
        resumed, same = fit(*begin("names", params, data / "stopped"), lambda _: None)
    assert rows == same
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in undisturbed.items())


def test_only_one_rank_reports(small_params: Params, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.training.ranks.LEAST_UNITS", 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def report(row: Row) -> None:  # to a file, to detect reports of other processes
        with (data / "reported").open("a") as file:
            file.write(f"{row['epoch']:.0f}\n")

    with contextlib.chdir(data):
        fit(*begin("names", exact(small_params), data / "checkpoints"), report)
    assert (data / "reported").read_text() == "1\n2\n"


class Scale(nn.Module):
    """One weight with a gradient and one without."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.unused = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(2))


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_gradient_is_that_of_the_mean_over_all_units(ranks: int) -> None:
    model, device = Scale(), torch.device("cpu")

    def step(world: World) -> tuple[float, list[float]]:
        units = world.rank + 1
        loss = Loss(model.weight.sum() * 10 * units, units)
        for _ in range(3):  # so that the alternating buffers are reused
            model.zero_grad()
            torch.autograd.backward(world.link.objective(loss, device), retain_graph=True)
            world.link.average(model, units)
            sums = world.link.sum([units, world.rank], device)
        assert model.weight.grad is not None
        return float(model.weight.grad), sums

    total = ranks * (ranks + 1) / 2
    gradient, sums = train_by_ranks(model, ranks, step)
    assert gradient == pytest.approx(10.0)
    assert sums == [total, total - ranks]


def test_a_rank_that_dies_ends_the_training() -> None:
    def work(world: World) -> None:
        if world.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        world.link.sum([1.0], torch.device("cpu"))

    before = multiprocessing.active_children()
    with pytest.raises(ChildProcessError, match="memory"):
        train_by_ranks(Scale(), 2, work)
    assert {*multiprocessing.active_children()} <= {*before}


def test_an_error_of_all_ranks_is_raised_once() -> None:
    def work(world: World) -> None:
        world.link.sum([1.0], torch.device("cpu"))
        raise ValueError("the loss is not finite")

    with pytest.raises(ValueError, match="not finite"):
        train_by_ranks(Scale(), 2, work)


@pytest.mark.slow
def test_all_ranks_end_when_the_first_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, time\nfrom pathlib import Path\nfrom test_ranks import Scale\n"
        "from pipelines.training.ranks import train_by_ranks\n"
        f"def work(world):\n    Path({str(tmp_path)!r}, str(world.rank)).write_text(str(os.getpid()))\n    time.sleep(600)\n"
        "train_by_ranks(Scale(), 3, work)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    try:
        others = [psutil.Process(_number(tmp_path / str(rank))) for rank in (1, 2)]
    finally:
        first.kill()
        first.wait()
    _, alive = psutil.wait_procs(others, timeout=60)
    assert alive == []


def _number(path: Path) -> int:
    return int(until(lambda: path.read_text() if path.exists() else "", f"{path} has a number"))


def test_each_rank_has_a_minimum_of_units() -> None:
    assert [rank_count(cores, 3 * LEAST_UNITS) for cores in (1, 2, 3, 64)] == [1, 2, 3, 3]
    assert rank_count(8, LEAST_UNITS // 2) == 1


def test_ranks_step_from_the_same_weights(small_params: Params, data: Path) -> None:
    with contextlib.chdir(data):
        model, job = begin("surname", exact(small_params), data / "checkpoints")

        def train(world: World) -> list[float]:
            loop = Loop(model, job.train, job.valid, job.params, job.seed, Fabric(accelerator="cpu", devices=1), world)
            loop.train(0)
            total = sum(float(p.detach().double().sum()) for p in model.parameters())
            return [*world.link.sum([total if world.rank == 0 else -total], torch.device("cpu"))]

        assert train_by_ranks(model, 2, train) == [0.0]
