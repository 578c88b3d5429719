"""The gate of a canary: worse challengers do not get through, and equal ones are not withdrawn by chance."""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.canaries import EQUAL, FAULTY, SHARES, Canary
from serving.server.trials.attempts import Arm
from serving.server.trials.gate import Gate, chance


def arm(answers: int, failed: int = 0, refused: int = 0, seconds: float = 0.01) -> Arm:
    return Arm(answers + failed + refused, failed, refused, seconds=[seconds] * answers)


@pytest.mark.parametrize("share", SHARES)
def test_equal_challengers_are_not_withdrawn(share: float) -> None:
    ends = [Canary.drawn(seed, share).withdrawn() for seed in range(EQUAL)]
    assert sum(end < np.inf for end in ends) <= 3


@pytest.mark.parametrize("share", SHARES)
def test_slow_challengers_are_withdrawn_soon(share: float) -> None:
    """Mostly as soon as both versions have the answers that a comparison needs."""
    assert np.median([Canary.drawn(seed, share, slower=3.0).withdrawn() for seed in range(FAULTY)]) <= 600


@pytest.mark.parametrize(("share", "soon"), [(0.1, 2000), (0.5, 800), (0.9, 2000)])
def test_failing_challengers_are_withdrawn_soon(share: float, soon: int) -> None:
    """5 % of the requests fail, of a challenger or, with a large share, of a champion that has only a few hundred requests."""
    assert np.median([Canary.drawn(seed, share, refused=(0.0, 0.05)).withdrawn() for seed in range(FAULTY)]) <= soon


@pytest.mark.parametrize("share", SHARES)
def test_a_dead_challenger_is_withdrawn_at_once(share: float) -> None:
    counts = [(round(n * share), round(n * (1 - share))) for n in range(10, 101, 10)]
    crossed = [Gate().crossed(arm(other), arm(0, failed=count)) is not None for count, other in counts]
    assert crossed == sorted(crossed)
    assert crossed[7]


@pytest.mark.parametrize("challenger", [arm(0, failed=3), arm(90, failed=10), arm(90, refused=10), arm(280, failed=20)])
def test_failures_cross_the_gate(challenger: Arm) -> None:
    assert "got no answer, and 0 of 1000" in (Gate().crossed(arm(1000), challenger) or "")


@pytest.mark.parametrize("challenger", [arm(0), arm(1, failed=2), arm(97, failed=3), arm(1000, failed=10)])
def test_few_failures_do_not_cross_the_gate(challenger: Arm) -> None:
    assert Gate().crossed(arm(100), challenger) is None


def test_the_first_wrong_requests_may_all_have_hit_the_challenger() -> None:
    assert Gate().crossed(arm(3), arm(0, refused=3)) is None
    assert Gate().crossed(arm(0), arm(50, refused=50)) is None


def test_what_clients_do_wrong_does_not_count_against_the_challenger() -> None:
    champion = arm(800, refused=200)
    assert Gate().crossed(champion, arm(70, refused=30)) is None
    assert Gate().crossed(champion, arm(0, refused=100)) is not None


def test_errors_that_are_allowed_do_not_cross_the_gate() -> None:
    assert Gate(errors=0.1).crossed(arm(1000), arm(900, failed=100)) is None
    assert Gate(errors=0.1).crossed(arm(1000), arm(700, failed=300)) is not None


def test_a_slow_challenger_crosses_the_gate() -> None:
    fast, said = arm(1000), "50 of 50 answers took longer than 0.020 s, 2 times the champion's p99 latency"
    assert Gate().crossed(fast, arm(50, seconds=0.019)) is None
    assert Gate().crossed(fast, arm(49, seconds=0.5)) is None
    assert Gate().crossed(fast, arm(50, seconds=0.021)) == said
    assert Gate(slower=3).crossed(fast, arm(50, seconds=0.021)) is None


def test_one_stall_does_not_cross_the_gate() -> None:
    challenger = arm(50)
    challenger.seconds[10] = 1.0
    assert Gate().crossed(arm(450), challenger) is None


@pytest.mark.parametrize(("champion", "challenger"), [(arm(1000), arm(49)), (arm(49), arm(50)), (arm(0), arm(0))])
def test_too_few_answers_prove_nothing(champion: Arm, challenger: Arm) -> None:
    assert Gate().crossed(champion, challenger) is None
    assert "too few answers" in (Gate().crossed(champion, challenger, over=True) or "")


@pytest.mark.parametrize("numbers", [(3, 10, 0, 90), (5, 50, 20, 900), (40, 400, 1, 45), (700, 1000, 5000, 9000), (1, 1, 0, 999)])
def test_the_probability_is_that_of_the_binomial_distribution(numbers: tuple[int, int, int, int]) -> None:
    worse, count, other_worse, other_count = numbers
    expected = binom.sf(worse - 1, worse + other_worse, count / (count + other_count))
    assert chance(*numbers) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("numbers", [(0, 0, 0, 0), (3, 3, 0, 0), (0, 10, 3, 10), (0, 0, 5, 10)])
def test_without_a_comparison_everything_may_be_chance(numbers: tuple[int, int, int, int]) -> None:
    assert chance(*numbers) == 1.0
