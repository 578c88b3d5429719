"""Comparisons of forecasts: values computed by hand, intervals and tests with their nominal error rates."""

import time
from math import atan, inf, pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.series.arrays import Values
from pipelines.evaluation.interval import Interval
from pipelines.evaluation.walk_forward.comparison import block_bootstrap, by_date, compare, diebold_mariano
from pipelines.stage import StageError

DAYS = np.arange("2015-01-01", "2017-01-01", dtype="datetime64[D]").astype("datetime64[s]")
NUMBERS = st.integers(-1000, 1000).map(float)


def student_3(x: float) -> float:
    """P(T <= x) with three degrees of freedom, in closed form."""
    return 0.5 + (x / sqrt(3) / (1 + x * x / 3) + atan(x / sqrt(3))) / pi


def autoregression(generator: np.random.Generator, shape: tuple[int, int], rho: float) -> Values:
    """Stationary AR(1) series of variance 1, [series, days]."""
    series = generator.normal(size=shape)
    for day in range(1, shape[1]):
        series[:, day] = rho * series[:, day - 1] + sqrt(1 - rho * rho) * series[:, day]
    return series


def laid_out(differences: Values, block: int, samples: int, seed: int) -> Values:
    """The means of the same samples, each materialized day by day."""
    days = len(differences)
    starts = np.random.default_rng(seed).integers(0, days, size=(samples, days // block + 1))
    places = (starts[:, :, None] + np.arange(block)).reshape(samples, -1)[:, :days] % days
    return np.asarray(differences[places].mean(axis=1))


def test_losses_of_one_date_count_as_one() -> None:
    dates = DAYS[[2, 0, 2, 1, 2]]
    assert by_date(np.array([1.0, 5, 2, 7, 6]), dates).tolist() == [5, 7, 3]


def test_diebold_mariano_by_hand_one_day_ahead() -> None:
    statistic, p = diebold_mariano(np.array([1.0, 2, 3, 4]), np.zeros(4), 1)
    assert statistic == pytest.approx(2.5 / sqrt(1.25 / 4) * sqrt(3 / 4))  # gamma_0 = 1.25
    assert p == pytest.approx(2 * (1 - student_3(statistic)))


def test_diebold_mariano_by_hand_two_days_ahead() -> None:
    # gamma_0 = 1.25, gamma_1 = 0.3125, so V = 1.875 / 4; the correction is (4 + 1 - 4 + 0.5) / 4
    statistic, p = diebold_mariano(np.zeros(4), np.array([1.0, 2, 3, 4]), 2)
    assert statistic == pytest.approx(-sqrt(5))
    assert p == pytest.approx(2 * (1 - student_3(sqrt(5))))


def test_bartlett_weights_are_used_where_the_rectangular_variance_is_negative() -> None:
    # d = 2, 0, 2, 0, 3: mean 1.4, gamma_0 = 1.44, gamma_1 = -0.952: gamma_0 + 2 gamma_1 < 0, and gamma_0 + gamma_1 > 0
    statistic, _ = diebold_mariano(np.array([2.0, 0, 2, 0, 3]), np.zeros(5), 2)
    assert statistic == pytest.approx(1.4 / sqrt((1.44 - 0.952) / 5) * sqrt((5 + 1 - 4 + 2 / 5) / 5))


@given(arrays(np.float64, st.integers(3, 40), elements=NUMBERS), st.integers(1, 40))
def test_diebold_mariano_is_antisymmetric_and_never_undefined(losses: Values, horizon: int) -> None:
    horizon = min(horizon, len(losses) - 1)
    there, back = diebold_mariano(losses, np.zeros_like(losses), horizon), diebold_mariano(np.zeros_like(losses), losses, horizon)
    assert there.statistic == -back.statistic
    assert there.p == back.p
    assert 0 <= there.p <= 1


def test_the_false_positive_rate_is_the_level_of_the_test() -> None:
    generator = np.random.default_rng(0)
    shocks = generator.normal(size=(2000, 104))
    five_days = np.lib.stride_tricks.sliding_window_view(shocks, 5, axis=1).mean(axis=-1)  # as overlapping targets produce
    for losses, horizon in ((shocks, 1), (five_days, 5)):
        p = np.array([diebold_mariano(one, np.zeros_like(one), horizon).p for one in losses])
        assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.025)
    ignoring = np.array([diebold_mariano(one, np.zeros_like(one), 1).p for one in five_days])
    assert np.mean(ignoring < 0.05) > 0.3


def test_a_constant_difference_has_p_0_and_no_difference_p_1() -> None:
    losses = np.arange(50.0)
    assert diebold_mariano(losses + 1, losses, 3) == (inf, 0)
    assert diebold_mariano(losses, losses + 1, 3) == (-inf, 0)
    assert diebold_mariano(losses, losses, 3) == (0, 1)


@pytest.mark.parametrize(("a", "b", "horizon"), [(5, 6, 1), (5, 5, 5), (1, 1, 1), (0, 0, 1)])
def test_diebold_mariano_rejects_too_few_days_and_unequal_lengths(a: int, b: int, horizon: int) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        diebold_mariano(np.zeros(a), np.zeros(b), horizon)


@given(arrays(np.float64, st.integers(2, 60), elements=NUMBERS), st.integers(1, 30), st.integers(0, 9))
def test_the_bootstrap_draws_whole_blocks_in_a_circle(differences: Values, block: int, seed: int) -> None:
    block = min(block, len(differences) // 2)
    found = block_bootstrap(differences, block=block, samples=50, seed=seed, level=0.9)
    low, high = np.quantile(laid_out(differences, block, 50, seed), [0.05, 0.95])
    np.testing.assert_allclose(found, [differences.mean(), low, high], atol=1e-9 * (1 + abs(differences).max()))


def test_the_interval_has_its_nominal_coverage_on_dependent_days() -> None:
    series = autoregression(np.random.default_rng(1), (400, 1510), 0.5)

    def coverage(block: int) -> float:
        intervals = [block_bootstrap(one, block=block, samples=400, seed=i) for i, one in enumerate(series)]
        return float(np.mean([low <= 0 <= high for _, low, high in intervals]))

    assert coverage(22) == pytest.approx(0.95, abs=0.03)  # a share of 400 has a standard error of 0.011
    assert coverage(1) < 0.8  # drawing single days loses the dependence


def test_the_interval_depends_on_seed_and_level() -> None:
    differences = autoregression(np.random.default_rng(2), (1, 500), 0.3)[0]
    first, again, other = (block_bootstrap(differences, block=10, samples=300, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    half = block_bootstrap(differences, block=10, samples=300, seed=1, level=0.5)
    assert first.low < half.low < half.mean < half.high < first.high


def test_too_few_days_for_the_blocks_are_reported() -> None:
    with pytest.raises(StageError, match="43 days are too few for blocks of 22"):
        block_bootstrap(np.zeros(43), block=22, samples=10, seed=0)


def test_2000_samples_of_1510_days_take_well_under_a_second() -> None:
    differences = np.random.default_rng(3).normal(size=1510)
    began = time.thread_time()
    block_bootstrap(differences, block=22, samples=2000, seed=0)
    assert time.thread_time() - began < 0.5


def test_a_comparison_of_equal_losses_has_no_difference() -> None:
    losses = np.random.default_rng(4).gamma(1.0, size=len(DAYS))
    same = compare(losses, losses.copy(), DAYS, 5, seed=0)
    assert (same.days, same.ratio, same.difference, same.low, same.high) == (len(DAYS), 1, 0, 0, 0)
    assert (same.statistic, same.p) == (0, 1)


def test_a_better_forecast_is_significantly_better() -> None:
    generator = np.random.default_rng(5)
    baseline = generator.gamma(2.0, size=2 * len(DAYS))
    losses = baseline - 0.2 + 0.5 * generator.normal(size=2 * len(DAYS))
    dates = np.repeat(DAYS, 2)
    found = compare(losses, baseline, dates, 1, seed=0)
    assert found.days == len(DAYS)
    assert found.ratio == pytest.approx(losses.mean() / baseline.mean())
    assert found.low < found.difference < found.high < 0
    assert found.difference == pytest.approx((losses - baseline).mean())
    assert found.statistic < -3
    assert found.p < 0.01
    order = generator.permutation(len(dates))
    shuffled = compare(losses[order], baseline[order], dates[order], 1, seed=0)
    np.testing.assert_allclose([shuffled.low, shuffled.p], [found.low, found.p], rtol=1e-6)


def test_blocks_are_a_month_and_longer_than_overlapping_targets() -> None:
    generator = np.random.default_rng(6)
    losses, baseline = generator.gamma(2.0, size=(2, len(DAYS)))
    for horizon, block in ((1, 22), (5, 22), (22, 44)):
        found = compare(losses, baseline, DAYS, horizon, seed=7)
        expected = block_bootstrap(losses - baseline, block=block, samples=2000, seed=7)
        assert Interval(found.difference, found.low, found.high) == expected
