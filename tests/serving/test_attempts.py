"""The gate of a canary, on lines of nginx's log of trials."""

import json
from pathlib import Path

import pytest

from serving.server.trials.attempts import Arm, Attempts, Gate, Latency

ADDRESS = "127.0.0.1:8081"


def line(version: str = "", status: str = "200", seconds: str = "0.010", **other: object) -> str:
    said = {"at": 100.0, "model": "m", "version": version, "to": ADDRESS, "status": status, "seconds": seconds, **other}
    return json.dumps(said) + "\n"


def seen(path: Path, *lines: str) -> Attempts:
    path.write_text("".join(lines))
    return Attempts(path, "m", "2-b", 100.0).read()


def arm(answers: int, failed: int = 0, refused: int = 0, seconds: float = 0.01) -> Arm:
    return Arm(answers + failed + refused, failed, refused, seconds=[seconds] * answers)


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
        line("2-b", "502 : 200", "0.000 : 0.010", to=f"challenger : {ADDRESS}"),
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


@pytest.mark.parametrize("challenger", [arm(0, failed=3), arm(97, failed=3), arm(0, refused=3), arm(296, failed=4)])
def test_failures_cross_the_gate(challenger: Arm) -> None:
    assert "got no answer, and 0 of 1000" in (Gate().crossed(arm(1000), challenger) or "")


@pytest.mark.parametrize("challenger", [arm(0), arm(1, failed=2), arm(297, failed=3), arm(1000, failed=10)])
def test_few_failures_do_not_cross_the_gate(challenger: Arm) -> None:
    assert Gate().crossed(arm(1000), challenger) is None


def test_two_failures_of_fifty_are_too_many_in_the_end() -> None:
    challenger = arm(48, failed=2)
    assert Gate().crossed(arm(1000), challenger) is None
    assert Gate().crossed(arm(1000), challenger, over=True) == "2 of 50 requests got no answer, and 0 of 1000 of the champion's"


def test_what_clients_do_wrong_does_not_count_against_the_challenger() -> None:
    champion = arm(800, refused=200)
    assert Gate().crossed(champion, arm(70, refused=30)) is None
    assert Gate().crossed(champion, arm(0, refused=100)) is not None


def test_a_slow_challenger_crosses_the_gate() -> None:
    fast = arm(1000)
    assert Gate().crossed(fast, arm(50, seconds=0.019)) is None
    assert Gate().crossed(fast, arm(49, seconds=0.5)) is None
    assert Gate().crossed(fast, arm(50, seconds=0.021)) == "p99 latency is 0.021 s, more than 2 times the champion's 0.010 s"
    assert Gate(slower=3).crossed(fast, arm(50, seconds=0.021)) is None


@pytest.mark.parametrize(("champion", "challenger"), [(arm(1000), arm(49)), (arm(49), arm(50)), (arm(0), arm(0))])
def test_too_few_answers_prove_nothing(champion: Arm, challenger: Arm) -> None:
    assert Gate().crossed(champion, challenger) is None
    assert "too few answers" in (Gate().crossed(champion, challenger, over=True) or "")


def test_percentiles_are_answers_that_were_given() -> None:
    assert Latency.of([]) is None
    assert Latency.of([0.3]) == Latency(0.3, 0.3)
    assert Latency.of([i / 100 for i in range(100, 0, -1)]) == Latency(0.5, 0.99)
