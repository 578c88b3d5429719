"""GPUs of processes that train at the same time: each process reserves one for its lifetime."""

import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from waiting import PATIENCE_S, until

from pipelines.training import hardware
from pipelines.training.hardware import pick_device, take_gpu

FORK = multiprocessing.get_context("fork")  # a process that has imported torch and sees the fake GPUs


def _train(pipe: Connection) -> None:
    """Reserve a GPU, send its index, and keep it until a message arrives."""
    pipe.send((take_gpu(), take_gpu()))
    pipe.recv()


class Trainer:
    """A process that reserves a GPU."""

    def __init__(self) -> None:
        self.pipe, theirs = FORK.Pipe()
        self.process = FORK.Process(target=_train, args=(theirs,))
        self.process.start()

    def gpu(self) -> int:
        assert self.pipe.poll(PATIENCE_S)
        first, second = self.pipe.recv()
        assert first == second  # a process that trains twice does not wait for itself
        return int(first)

    def waits(self) -> bool:
        return not self.pipe.poll(0.3)

    def end(self) -> None:
        self.process.kill()
        self.process.join()


@pytest.fixture
def trainers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Trainer]]:
    """Three processes and two GPUs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hardware, "LOOK_S", 0.01)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"gpu-{index}"))
    with ExitStack() as stack:
        started = [Trainer() for _ in range(3)]
        for trainer in started:
            stack.callback(trainer.end)
        yield started


def served(trainers: list[Trainer]) -> list[Trainer]:
    """Wait until two trainers have a GPU, and return these."""
    until(lambda: len([trainer for trainer in trainers if trainer.pipe.poll()]) == 2, "two of them have a GPU")
    return [trainer for trainer in trainers if trainer.pipe.poll()]


def test_a_process_waits_for_a_free_gpu(trainers: list[Trainer]) -> None:
    first, second = served(trainers)
    (last,) = (trainer for trainer in trainers if trainer not in (first, second))
    assert {first.gpu(), gpu := second.gpu()} == {0, 1}
    assert last.waits()
    second.end()  # killed, without a chance to clean up
    assert last.gpu() == gpu


def test_a_gpu_with_another_index_in_another_process_is_the_same(
    trainers: list[Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {0: "gpu-1", 1: "gpu-2"}
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=seen[index]))
    served(trainers)
    other = Trainer()
    try:
        assert other.gpu() == 1
    finally:
        other.end()


def test_without_a_gpu_nothing_is_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert pick_device("cpu") == "cpu"
    assert not list(tmp_path.iterdir())
