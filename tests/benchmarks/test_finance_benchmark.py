"""The econometric baselines give the packages' own forecasts, and use no data from later days."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from forecasters import calendar

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.folds import Fold
from pipelines.kinds.forecasting.evaluation.rows import Part

pytest.importorskip("arch")
pytest.importorskip("statsmodels")
pytestmark = pytest.mark.slow

DAYS, TRAIN = 700, 600
FOLD = Fold(range(TRAIN), range(TRAIN + 1, TRAIN + 4))


def returns_of(seed: int = 0) -> Values:
    """Returns in percent, with a persistent variance."""
    numbers, found, variance = np.random.default_rng(seed), list[float](), 1.0
    for shock in numbers.normal(size=DAYS):
        found.append(float(np.sqrt(variance) * shock))
        variance = 0.05 + 0.1 * found[-1] ** 2 + 0.85 * variance
    return np.array(found)


def part_of(returns: Values) -> Part:
    values = 1e-4 * returns**2 + 1e-7
    return cast(Part, SimpleNamespace(values=values, times=calendar(DAYS)))


def changed_after(returns: Values, day: int) -> Values:
    return np.concatenate([returns[: day + 1], 5 * returns[day + 1 :][::-1]])


def test_garch_matches_the_package_and_uses_no_later_day() -> None:
    from arch import arch_model

    from benchmarks.finance import _garch

    returns = returns_of()
    part = part_of(returns)
    found = _garch(returns, part, FOLD)
    fitted = arch_model(returns[:TRAIN], vol="GARCH", p=1, q=1, dist="t").fit(disp="off")
    scale = part.values[:TRAIN].mean() / (fitted.conditional_volatility**2).mean()
    for day, forecast in zip(FOLD.test, found, strict=True):
        seen = arch_model(returns[: day + 1], vol="GARCH", p=1, q=1, dist="t").fix(fitted.params)
        expected = float(seen.forecast(horizon=1).variance.iloc[-1, 0]) * scale
        assert forecast == pytest.approx(expected, rel=1e-3)
    changed = changed_after(returns, FOLD.test[0])
    assert _garch(changed, part_of(returns), FOLD)[0] == found[0]


def test_a_markov_model_is_filtered_and_not_smoothed() -> None:
    from benchmarks.finance import _filtered

    calm = np.random.default_rng(0).normal(size=DAYS)
    wild = (np.arange(DAYS) // 100) % 2 == 1
    returns = np.where(wild, 4.0, 1.0) * calm
    found = _filtered(returns, 500)
    assert found.shape == (DAYS,)
    assert found[wild].mean() > 0.8
    assert found[~wild].mean() < 0.2
    np.testing.assert_allclose(_filtered(changed_after(returns, 600), 500)[:601], found[:601], rtol=1e-9)
