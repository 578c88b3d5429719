"""How both versions of a trial did, by lines of nginx's log of trials."""

import json
from pathlib import Path

import pytest

from serving.server.trials.attempts import Arm, Attempts, Latency
from serving.server.trials.log import OLDER

ADDRESS = "127.0.0.1:8081"


def line(version: str = "", status: str = "200", seconds: str = "0.010", **other: object) -> str:
    said = {"at": 100.0, "model": "m", "version": version, "to": ADDRESS, "status": status, "seconds": seconds, **other}
    return json.dumps(said) + "\n"


def seen(path: Path, *lines: str) -> Attempts:
    path.write_text("".join(lines))
    return Attempts(path, "m", "2-b", 100.0).read()


@pytest.mark.parametrize("status", ["500", "502 : 200", "503 : 200", "504 : 200", "507 : 500", "404 : 200"])
def test_the_first_attempt_counts_even_if_the_champion_answered(status: str, tmp_path: Path) -> None:
    challenger = seen(tmp_path / "log", line("2-b", status, "0.5 : 0.01"), line("2-b")).challenger
    assert (challenger.requests, challenger.failed, challenger.seconds) == (2, 1, [0.01])


def test_each_request_counts_for_the_version_that_got_it(tmp_path: Path) -> None:
    attempts = seen(
        tmp_path / "log",
        line(),
        line("2-b", "400"),
        line("3-c"),  # a challenger before this one
        line("2-b", model="other"),
        line("2-b", at=99.9),
        line("2-b", "", ""),  # without a valid key
        line("2-b", "-", "-"),
        line("2-b", "502 : 200", "0.000 : 0.010", to=f"challenger_0 : {ADDRESS}"),
    )
    assert attempts.champion == Arm(requests=1, seconds=[0.01])
    assert attempts.challenger == Arm(requests=1, refused=1, skipped=1)


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path, whole = tmp_path / "log", line("2-b")
    attempts = seen(path, whole, whole[:20])
    assert attempts.challenger.requests == 1
    path.write_text(whole + whole)
    assert attempts.read().challenger.requests == 2
    assert attempts.read().challenger.requests == 2


def test_a_log_that_is_rotated_is_read_once(tmp_path: Path) -> None:
    path, older = tmp_path / "trials.log", tmp_path / OLDER
    attempts = seen(path, line("2-b"))
    for count in range(2, 8, 2):
        with path.open("a") as log:
            log.write(line("2-b"))
        path.replace(older)
        assert attempts.read().challenger.requests == count
        path.write_text(line("2-b"))
        assert attempts.read().challenger.requests == count + 1
    assert Attempts(path, "m", "2-b", 100.0).read().challenger.requests == 3


def test_percentiles_are_answers_that_were_given() -> None:
    assert Latency.of([]) is None
    assert Latency.of([0.3]) == Latency(0.3, 0.3)
    assert Latency.of([i / 100 for i in range(100, 0, -1)]) == Latency(0.5, 0.99)
