"""Ranks that share each batch: together they see the same rows as one process, and end with the same weights."""

import contextlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from exactly import RANKS, TASKS, exact
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed
from torch.multiprocessing.spawn import spawn

from pipelines.settings.params import Params
from pipelines.store import Split, write_split
from pipelines.training.batches import LengthBuckets
from pipelines.training.begin import begin
from pipelines.training.fit import fit
from pipelines.training.world import ALONE, World, connected


def train_all(rank: int, params: Params, folder: Path, size: int) -> None:
    """Train every task as one of `size` ranks, and write the results."""
    os.chdir(folder)
    if size > 1:
        distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=size)
    world = connected(rank, size)
    for task in TASKS:
        model, job = begin(task, params, folder / f"{task}-{size}-{rank}")
        torch.save(fit(model, job, lambda _: None, world), folder / f"{task}-{size}-{rank}.pt")
    if size > 1:
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def trained(small_params: Params, prepared: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of one process, and of each of two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "data/prepared").mkdir(parents=True)
    for task in TASKS:
        (folder / "data/prepared" / task).symlink_to(prepared[task])
    with contextlib.chdir(folder):
        train_all(0, exact(small_params), folder, 1)
    start: Callable[..., None] = spawn  # untyped
    start(train_all, (exact(small_params), folder, RANKS), nprocs=RANKS)
    return folder


def outcome(folder: Path, task: str, size: int, rank: int = 0) -> tuple[Mapping[str, torch.Tensor], list[dict[str, float]]]:
    loaded: tuple[Mapping[str, torch.Tensor], list[dict[str, float]]] = torch.load(folder / f"{task}-{size}-{rank}.pt")
    return loaded


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_two_ranks_end_with_the_weights_of_one_process(trained: Path, task: str) -> None:
    (weights, history), (shared, together) = outcome(trained, task, 1), outcome(trained, task, RANKS)
    assert weights.keys() == shared.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(shared[name], tensor, rtol=0, atol=1e-5, msg=partial("{}: {}".format, name))
    assert together == [pytest.approx(row, rel=1e-5) for row in history]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_ranks_have_bitwise_equal_weights(trained: Path, task: str) -> None:
    (first, rows), (second, same) = (outcome(trained, task, RANKS, rank) for rank in range(RANKS))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert rows == same


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 30), st.integers(1, 5))
def test_shares_partition_each_batch(tmp_path_factory: pytest.TempPathFactory, lengths: list[int], units: int, size: int) -> None:
    folder = tmp_path_factory.mktemp("split")
    write_split(folder, {"text": [[4] * n for n in lengths]})
    whole, *shares = (
        list(LengthBuckets(Split(folder), units, 1, shuffle=True, world=world))
        for world in (ALONE, *(World(rank, size) for rank in range(size)))
    )
    assert [sorted(row for share in of_one for row in share) for of_one in zip(*shares, strict=True)] == [*map(sorted, whole)]
    assert all(max(counts) - min(counts) <= 1 for counts in zip(*([*map(len, share)] for share in shares), strict=True))


@given(st.integers(0, 1000), st.integers(1, 8))
def test_seeds_of_ranks_and_steps_are_distinct(step: int, size: int) -> None:
    seeds = [World(rank, size).seed(step + later) for rank in range(size) for later in range(3)]
    assert len(set(seeds)) == len(seeds)
    assert ALONE.seed(step) == step
