"""Parallel stages: in the right order, concurrently, and with the same DVC state as after `dvc repro`."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock
from pathlib import Path
from time import sleep
from typing import Any

import psutil
import pytest
import yaml
from waiting import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60  # for a machine with other load; each wait normally takes a moment
# Each stage records that it ran; `left` and `right` wait for each other, and never end if they run one by one.
PIPELINE = """
stages:
  source:
    cmd: echo source >> ran && sort input > sorted
    deps: [input]
    outs: [sorted]
  side:
    foreach: [left, right]
    do:
      cmd: echo side@${item} >> ran && touch met-${item} && sh meet && head -n $(cat head) sorted > ${item}
      deps: [sorted, head]
      params: ["${item}"]
      outs: ["${item}"]
      metrics: [{"${item}.json": {cache: false, persist: true}}]
  join:
    cmd: echo join >> ran && cat left right > joined
    deps: [left, right]
    outs: [{joined: {cache: false}}]
  last:
    cmd: echo last >> ran && wc -l < joined > count
    deps: [joined]
    outs: [count]
"""
MEET = """
echo 1 > left.json; echo 2 > right.json
test "$ALONE" && exit 0
for i in $(seq 1200); do test -e met-left -a -e met-right && exit 0; sleep 0.05; done
exit 1
"""
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "DVC_NO_ANALYTICS": "1",
    "OMP_NUM_THREADS": "8",
}


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * PATIENCE_S,
    )


def side_by_side(folder: Path, jobs: int | str, *stages: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "pipelines.repro.side_by_side", "--jobs", str(jobs), *stages, **environment)


IGNORING = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if str(int(number)) in sys.argv[1].split(",") else signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-m", "pipelines.repro.side_by_side", "--jobs", sys.argv[2]])
"""
WAIT = "touch began; until test -e go; do sleep 0.05; done"


@contextmanager
def started(folder: Path, *ignored: signal.Signals, jobs: int = 2) -> Iterator["subprocess.Popen[str]"]:
    """Run parallel stages in a process that starts with these signals ignored, and ends with the block at the latest."""
    command = [sys.executable, "-c", IGNORING, ",".join(map(str, map(int, ignored))), str(jobs)]
    with subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def repository(folder: Path, stages: str) -> Path:
    folder.mkdir()
    (folder / "dvc.yaml").write_text(stages)
    assert run(folder, "git", "init", "--quiet").returncode == 0
    assert run(folder, "dvc", "init", "--quiet").returncode == 0
    return folder


def ran(folder: Path) -> list[str]:
    """The stages that ran since the last call."""
    lines = (folder / "ran").read_text().splitlines() if (folder / "ran").exists() else []
    (folder / "ran").unlink(missing_ok=True)
    return lines


def kept(folder: Path) -> object:
    return yaml.safe_load((folder / "dvc.lock").read_text())


def cached(folder: Path) -> set[Path]:
    """Files of DVC's cache, including the run cache. They are named by their content hash."""
    cache = folder / ".dvc/cache"
    return {path.relative_to(cache) for path in cache.rglob("*") if path.is_file()}


def wait_for(*paths: Path) -> None:
    until(lambda: all(path.exists() for path in paths), f"{paths}")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = repository(tmp_path_factory.mktemp("dvc") / "fresh", PIPELINE)
    (folder / "input").write_text("c\nb\na\n")
    (folder / "head").write_text("2\n")
    (folder / "meet").write_text(MEET)
    (folder / "params.yaml").write_text("left: 1\nright: 1\n")
    return folder


@pytest.fixture(scope="module")
def plain(fresh: Path) -> Path:
    """A folder where `dvc repro` has run."""
    folder = fresh.parent / "plain"
    shutil.copytree(fresh, folder)
    assert run(folder, "dvc", "repro", ALONE="1").returncode == 0
    assert ran(folder) == ["source", "side@left", "side@right", "join", "last"]
    return folder


def test_independent_stages_overlap_and_the_result_equals_dvc_repro(fresh: Path, plain: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(fresh, tmp_path / "here")
    done = side_by_side(folder, 2)
    assert done.returncode == 0, done.stdout + done.stderr
    first, *sides, join, last = ran(folder)
    assert (first, sorted(sides), join, last) == ("source", ["side@left", "side@right"], "join", "last")
    assert kept(folder) == kept(plain)
    assert cached(folder) == cached(plain)
    assert (folder / ".gitignore").read_text().split().sort() == (plain / ".gitignore").read_text().split().sort()
    assert json.loads(run(folder, "dvc", "status", "--json").stdout) == {}
    for again in (side_by_side(folder, 2), run(folder, "dvc", "repro")):
        assert again.returncode == 0
        assert ran(folder) == []


CHANGES = {
    "nothing": "true",
    "the first stage's input": "echo d >> input",
    "an input that gives the same output": "printf 'b\\nc\\na\\n' > input",
    "a param in the middle": "printf 'left: 2\\nright: 1\\n' > params.yaml",
    "a dependency of two": "echo 1 > head",
    "an output that is gone": "rm right",
    "an output that was edited": "chmod u+w left && echo x > left",
    "an output outside the cache": "rm joined",
    "a command": "sed -i 's/cat left right/cat right left/' dvc.yaml",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_reruns_what_dvc_repro_reruns(change: str, plain: Path, tmp_path: Path) -> None:
    theirs, ours = (shutil.copytree(plain, tmp_path / name, symlinks=True) for name in ("theirs", "ours"))
    for folder in (theirs, ours):
        assert run(folder, "sh", "-c", change).returncode == 0
    assert run(theirs, "dvc", "repro", ALONE="1").returncode == 0
    assert side_by_side(ours, 3, ALONE="1").returncode == 0
    assert sorted(ran(ours)) == sorted(ran(theirs))
    assert kept(ours) == kept(theirs)


def test_a_change_of_params_creates_the_same_experiment_as_dvc_exp_run(plain: Path, tmp_path: Path) -> None:
    theirs, ours = (shutil.copytree(plain, tmp_path / name, symlinks=True) for name in ("theirs", "ours"))
    for folder in (theirs, ours):
        (folder / "another").mkdir()  # a pipeline that is not a target, and has not run
        (folder / "another/dvc.yaml").write_text("stages: {one: {cmd: echo 1 > x, outs: [x]}}")
        assert run(folder, "git", "add", ".").returncode == 0
        assert run(folder, "git", *AUTHOR, "commit", "--quiet", "-m", "all").returncode == 0
    assert run(theirs, "dvc", "exp", "run", "-S", "left=2", ALONE="1").returncode == 0
    done = side_by_side(ours, 2, "-S", "left=2", ALONE="1")
    assert done.returncode == 0, done.stderr
    assert kept(ours) == kept(theirs)
    assert (ours / "params.yaml").read_text() == (theirs / "params.yaml").read_text()
    name = run(ours, "dvc", "exp", "list", "--name-only").stdout.strip()
    assert f"saved as experiment {name}\n" in done.stdout
    shown = [run(folder, "dvc", "exp", "show", "--json").stdout for folder in (ours, theirs)]
    assert [experiments(json.loads(text)) for text in shown] == [[{"left": 2, "right": 1}]] * 2


AUTHOR = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")


def experiments(shown: Any) -> list[object]:
    """The params of all experiments."""
    rows = [row["revs"][0] for commit in shown if commit["experiments"] for row in commit["experiments"]]
    return [row["data"]["params"]["params.yaml"]["data"] for row in rows]


def test_targets_run_with_their_dependencies_only(fresh: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(fresh, tmp_path / "here")
    assert side_by_side(folder, 2, "side@left", ALONE="1").returncode == 0
    assert ran(folder) == ["source", "side@left"]


# Each stage waits until the maximum number runs, and then a little longer in case more start.
COUNTED = """
stages:
  one:
    foreach: [a, b, c, d, e, f]
    do: {cmd: "touch now-${item}; sh full; rm now-${item}; echo $OMP_NUM_THREADS > ${item}", outs: ["${item}"]}
"""
FULL = """
until test $(ls -d now-* done-* 2> /dev/null | wc -l) -ge $MOST; do sleep 0.05; done
sleep 0.3; ls -d now-* | wc -l >> counts; touch done-$$
"""


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_the_number_of_jobs_is_respected_and_they_share_the_cores(jobs: int, tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", COUNTED)
    (folder / "full").write_text(FULL)
    done = side_by_side(folder, jobs, MOST=str(jobs))
    assert done.returncode == 0, done.stdout + done.stderr
    assert max(map(int, (folder / "counts").read_text().split())) == jobs
    given = [int((folder / name).read_text()) for name in "abcdef"]
    assert min(given) == 8 // jobs
    assert max(given) <= 8


# `a` starts a long chain, and must overlap with `beside`.
LONG = """
stages:
  a: {cmd: "touch now-a; until test -e now-beside; do sleep 0.05; done; echo $OMP_NUM_THREADS > a", outs: [a]}
  b: {cmd: cp a b, deps: [a], outs: [b]}
  c: {cmd: cp b c, deps: [b], outs: [c]}
  beside: {cmd: "touch now-beside; until test -e now-a; do sleep 0.05; done; echo $OMP_NUM_THREADS > beside", outs: [beside]}
"""


def test_a_share_with_a_fraction_is_rounded_up_and_leaves_room_for_others(tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", LONG)
    assert side_by_side(folder, 2, OMP_NUM_THREADS="2").returncode == 0
    assert [(folder / name).read_text() for name in ("a", "beside")] == ["2\n", "1\n"]


def test_a_stage_that_must_run_alone_gets_all_cores(tmp_path: Path) -> None:
    chain = "stages: {a: {cmd: echo $OMP_NUM_THREADS > a, outs: [a]}, b: {cmd: echo $OMP_NUM_THREADS > b, deps: [a], outs: [b]}}"
    folder = repository(tmp_path / "here", chain)
    assert side_by_side(folder, 8).returncode == 0
    assert [(folder / name).read_text() for name in "ab"] == ["8\n"] * 2


def test_unchanged_stages_take_no_share_of_the_cores(tmp_path: Path) -> None:
    one = "one: {foreach: [a, b, c, d], do: {cmd: 'echo $OMP_NUM_THREADS > ${item}', deps: ['in-${item}'], outs: ['${item}']}}"
    folder = repository(tmp_path / "here", f"stages: {{{one}}}")
    for name in "abcd":
        (folder / f"in-{name}").write_text("1")
    assert side_by_side(folder, 4).returncode == 0
    assert (folder / "a").read_text() == "2\n"
    (folder / "in-d").write_text("2")
    assert side_by_side(folder, 4).returncode == 0
    assert (folder / "d").read_text() == "8\n"


BROKEN = """
stages:
  bad: {cmd: "until test -e began; do sleep 0.05; done; echo what is wrong; touch broken; exit 3", outs: [x]}
  good: {cmd: "touch began; until test -e broken; do sleep 0.05; done; sleep 3; echo good >> ran; echo y > y", outs: [y]}
  after-bad: {cmd: "echo after-bad >> ran; cat x > z", deps: [x], outs: [z]}
  after-good: {cmd: "echo after-good >> ran; cat y > u", deps: [y], outs: [u]}
"""


def test_after_a_failure_running_stages_finish_and_no_other_starts(tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", BROKEN)
    done = side_by_side(folder, 2)
    assert done.returncode == 1
    assert ran(folder) == ["good"]
    assert set(kept(folder)["stages"]) == {"good"}  # type: ignore[index]
    assert "bad | what is wrong\nbad | failed: command exited with status 3\n" in done.stdout
    assert done.stderr == "error: failed: bad; see the output above, prefixed with the stage's name\n"
    (folder / "dvc.yaml").write_text(BROKEN.replace("exit 3", "echo x > x"))
    assert side_by_side(folder, 2).returncode == 0
    assert sorted(ran(folder)) == ["after-bad", "after-good"]


def test_a_stage_without_its_output_has_failed(tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", "stages: {idle: {cmd: 'true', outs: [x]}, next: {cmd: cp x y, deps: [x], outs: [y]}}")
    done = side_by_side(folder, 2)
    assert done.returncode == 1
    assert "idle | failed: output 'x' does not exist" in done.stdout
    assert "next" not in done.stdout


# The second kind ignores the signals.
SLOW = """
stages:
  slow:
    foreach: [a, b]
    do: {cmd: "echo $$ > pid-${item}.part; mv pid-${item}.part pid-${item}; sleep 600 | cat; touch ${item}", outs: ["${item}"]}
  stubborn:
    foreach: [c, d]
    do:
      cmd: "trap '' INT TERM HUP; echo $$ > pid-${item}.part; mv pid-${item}.part pid-${item}; sleep 600; touch ${item}"
      outs: ["${item}"]
"""
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def alive(group: int) -> bool:
    """Whether any process of the group is running. A killed one may remain a zombie until init reaps it."""
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize(
    "ignored", [[], [signal.SIGINT], [signal.SIGINT, signal.SIGTERM]], ids=["none", "SIGINT", "SIGTERM, too"]
)
def test_an_interrupt_ends_all_child_processes(number: signal.Signals, ignored: list[signal.Signals], tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", SLOW)
    with started(folder, *ignored, jobs=4) as process:
        wait_for(*(folder / f"pid-{name}" for name in "abcd"))
        groups = [int((folder / f"pid-{name}").read_text()) for name in "abcd"]
        assert all(map(alive, groups))
        process.send_signal(number)
        process.send_signal(signal.SIGTERM)  # a second signal changes nothing
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (130, "")
    until(lambda: not any(map(alive, groups)), "a stage outlives the run")
    assert not (folder / "dvc.lock").exists()
    (folder / "dvc.yaml").write_text(SLOW.replace("sleep 600", "true"))
    assert run(folder, "dvc", "repro").returncode == 0  # nothing is locked


def test_an_ignored_sighup_stays_ignored(tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", f"stages: {{one: {{cmd: '{WAIT}; echo 1 > x', outs: [x]}}}}")
    with started(folder, signal.SIGHUP) as process:
        wait_for(folder / "began")
        process.send_signal(signal.SIGHUP)
        (folder / "go").touch()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert (folder / "x").read_text() == "1\n"


def test_a_stage_is_saved_after_waiting_for_the_lock_of_another_dvc(tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", f"stages: {{one: {{cmd: '{WAIT}; echo 1 > x', outs: [x]}}}}")
    with started(folder) as process:
        wait_for(folder / "began")
        with (folder / ".dvc/tmp/lock").open("a") as lock:
            flock(lock, LOCK_EX)
            (folder / "go").touch()
            sleep(4)  # DVC itself gives up after three seconds
            assert process.poll() is None
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output + errors
    assert set(kept(folder)["stages"]) == {"one"}  # type: ignore[index]


def test_another_dvc_cannot_change_the_inputs_of_a_running_stage(tmp_path: Path) -> None:
    made, waiting = "made: {cmd: echo 1 > x, outs: [x]}", f"waiting: {{cmd: '{WAIT}; cat x > y', deps: [x], outs: [y]}}"
    folder = repository(tmp_path / "here", f"stages: {{{made}, {waiting}}}")
    with started(folder) as process:
        wait_for(folder / "began")
        other = run(folder, "dvc", "repro", "--force", "made")
        assert other.returncode != 0
        assert "busy" in other.stderr
        assert "waiting" in other.stderr
        (folder / "go").touch()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_it_ends_when_its_output_is_closed(tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", "stages: {talks: {cmd: 'yes', outs: [x]}}")
    with started(folder) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=PATIENCE_S) != 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["0"], "argument --jobs: '0' is not a valid number of stages; it must be a positive integer"),
        (["two"], "argument --jobs: 'two' is not a valid number of stages"),
        (["2", "-S", "epochs=2"], "error: Invalid `--set-param` value: Could not override 'epochs'"),
        (["2", "trian@surname"], "error: Stage 'trian@surname' not found inside 'dvc.yaml' file"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", COUNTED)
    (folder / "params.yaml").write_text("epoch: 1\n")
    done = side_by_side(folder, *arguments)
    assert done.returncode != 0
    assert told in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_an_invalid_dvc_yaml_is_an_error(tmp_path: Path) -> None:
    folder = repository(tmp_path / "here", "stages: {a: {deps: [b]}}")
    done = side_by_side(folder, 2)
    assert done.returncode == 1
    assert done.stderr == "error: './dvc.yaml' validation failed: required key not provided @ data['stages']['a']['cmd']\n"
