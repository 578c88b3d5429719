"""How the stages of a pipeline share the cores: properties for any graph, and examples."""

import json
import math
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.repro import shares
from pipelines.repro.shares import Shares, measured, memory, most_jobs

CORES = st.integers(1, 64)


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, list[int]]:
    """Graphs in which each node depends on some of those before it."""
    count = draw(st.integers(1, 12))
    return {node: draw(st.lists(st.sampled_from(range(node)), unique=True)) if node else [] for node in range(count)}


def drawn_seconds(data: st.DataObject, needs: dict[int, list[int]]) -> dict[int, float]:
    return {node: data.draw(st.floats(0.1, 1000.0)) for node in needs}


@given(graphs(), CORES, CORES, st.data())
def test_a_share_is_between_an_equal_share_and_all_cores(
    needs: dict[int, list[int]], cores: int, jobs: int, data: st.DataObject
) -> None:
    shared, left = Shares(needs, drawn_seconds(data, needs), cores, jobs), set(needs)
    for stage in TopologicalSorter(needs).static_order():
        assert max(1, cores // jobs) <= shared.share(stage, left) <= cores
        left.remove(stage)


@given(graphs(), CORES, CORES, st.data())
def test_the_last_stage_gets_all_cores(needs: dict[int, list[int]], cores: int, jobs: int, data: st.DataObject) -> None:
    shared = Shares(needs, drawn_seconds(data, needs), cores, jobs)
    for stage in needs:
        assert shared.share(stage, {stage}) == cores


@given(graphs(), st.data())
def test_a_chain_is_the_longest_path_through_the_dependents(needs: dict[int, list[int]], data: st.DataObject) -> None:
    seconds = drawn_seconds(data, needs)
    chains = Shares(needs, seconds, 2, 2).chains
    for stage in needs:
        after = [chains[other] for other in needs if stage in needs[other]]
        assert chains[stage] == pytest.approx(seconds[stage] + max(after, default=0.0))


def test_a_long_training_gets_the_share_of_its_chain() -> None:
    needs: dict[str, list[str]] = {"long": [], "after": ["long"], **{f"short{number}": [] for number in range(8)}}
    seconds = {name: {"long": 300.0, "after": 100.0}.get(name, 50.0) for name in needs}
    assert Shares(needs, seconds, 8, 8).share("long", set(needs)) == 4
    assert Shares(needs, seconds, 8, 8).share("short0", set(needs)) == 1
    assert Shares(needs, seconds, 3, 3).share("long", set(needs)) == 1.5
    assert Shares(needs, seconds, 2, 2).share("after", set(needs) - {"long"}) == 1


@given(st.integers(1, 12), CORES, CORES, st.data())
def test_the_longest_chain_has_a_thread_for_each_core_and_others_for_their_share(
    count: int, cores: int, jobs: int, data: st.DataObject
) -> None:
    needs: dict[int, list[int]] = {node: [] for node in range(count)}
    seconds = drawn_seconds(data, needs) | {0: 1001.0}
    shared = Shares(needs, seconds, cores, jobs)
    assert shared.threads(0, needs) == cores
    assert [shared.threads(node, needs) for node in range(1, count)] == [
        math.ceil(shared.share(node, needs)) for node in range(1, count)
    ]
    equal = Shares(needs, dict.fromkeys(needs, 1.0), cores, jobs)
    assert count == 1 or equal.threads(0, needs) == math.ceil(equal.share(0, needs))


def test_stages_without_a_measurement_get_the_mean_of_the_others(tmp_path: Path) -> None:
    (path := tmp_path / "pipeline.json").write_text(json.dumps({"figures": {"a_s": 1, "b_s": 3, "b_peak_mib": 9, "gone_s": 99}}))
    assert measured(["a", "b", "new"], path) == {"a": 1, "b": 3, "new": 2}
    assert measured(["new"], path) == {"new": 1}
    assert measured(["a"], tmp_path / "nothing.json") == {"a": 1}


def test_cores_and_memory_limit_the_number_of_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    monkeypatch.setattr(shares, "LIMITS", [tmp_path / "none", tmp_path / "limit"])
    assert memory() == psutil.virtual_memory().total
    for limit, jobs in (("1000000000", 1), (str(5 << 30), 2), ("max", min(6, psutil.virtual_memory().total >> 31))):
        (tmp_path / "limit").write_text(limit)
        assert most_jobs() == jobs


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds processes to cores")
def test_only_cores_that_the_process_may_run_on_count() -> None:
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{core}}}); from pipelines.stage import threads; print(threads())"
    environment = {name: value for name, value in os.environ.items() if name not in shares.THREADS}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
