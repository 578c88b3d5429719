"""Baseline forecasts without a network, each fitted only on data before its test days."""

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from models.series.arrays import Values
from pipelines.evaluation.walk_forward.folds import folds, origins
from pipelines.evaluation.walk_forward.har import ewma, log_har, random_walk
from pipelines.evaluation.walk_forward.losses import absolute, qlike
from pipelines.kinds.forecasting.evaluation.rows import SplitRows
from pipelines.kinds.forecasting.settings import ForecastingTask

ALPHAS = (0.02, 0.04, 0.06, 0.1, 0.2, 0.4)  # of the exponential smoothing, chosen on the validation days
Forecasts = Mapping[str, Values]  # baseline -> forecasts of the test rows, [N, H]


def of_variance(task: ForecastingTask, test: SplitRows, valid: SplitRows) -> Forecasts:
    """Random walk, exponential smoothing and log-HAR, for means of a positive quantity."""
    horizons = task.prepare.horizons
    alpha = _alpha(valid, qlike)
    found = {name: np.empty_like(test.targets) for name in ("random_walk", "ewma", "har")}
    for part in test.parts:
        cut = folds(
            part.times,
            first=task.prepare.test_from,
            every=task.evaluate.refit_every,
            horizon=max(horizons),
            window=task.evaluate.refit_on,
        )
        if not np.array_equal(origins(cut), part.places):
            raise ValueError(f"{part.name}: the baselines and the network are tested on different days")
        for i, horizon in enumerate(horizons):
            found["random_walk"][part.rows, i] = random_walk(part.values, horizon)[part.places]
            found["ewma"][part.rows, i] = ewma(part.values, alpha)[part.places]
            found["har"][part.rows, i] = log_har(part.values, cut, horizon, tuple(task.prepare.averages))
    return found


def of_events(train: SplitRows, test: SplitRows) -> Forecasts:
    """The event's share of the training days, and logistic regression on the linear part's inputs."""
    share = train.targets[:, 0].mean()
    mean, deviation = train.linear.mean(0), train.linear.std(0)
    fitted = LogisticRegression(C=np.inf).fit((train.linear - mean) / deviation, train.targets[:, 0])
    probability = fitted.predict_proba((test.linear - mean) / deviation)[:, 1:]
    return {"climatology": np.full_like(test.targets, share), "har": probability}


def of_values(task: ForecastingTask, train: SplitRows, valid: SplitRows, test: SplitRows) -> Forecasts:
    """Naive, seasonal naive and exponential smoothing forecasts, and linear autoregression on the window."""
    horizons, found = task.prepare.horizons, {name: np.empty_like(test.targets) for name in ("naive", "smoothing", "linear")}
    alpha = _alpha(valid, absolute)
    season = task.prepare.season
    if season:
        found["seasonal_naive"] = np.empty_like(test.targets)
    for part in test.parts:
        for i, horizon in enumerate(horizons):
            found["naive"][part.rows, i] = part.values[part.places]
            found["smoothing"][part.rows, i] = ewma(part.values, alpha)[part.places]
            if season:
                back = season * -(-horizon // season) - horizon
                found["seasonal_naive"][part.rows, i] = part.values[part.places - back]
    found["linear"] = _autoregression(train, test)
    return found


def _autoregression(train: SplitRows, test: SplitRows) -> Values:
    def features(rows: SplitRows) -> Values:
        return np.concatenate([rows.days.reshape(len(rows.days), -1), rows.linear], axis=1).astype(np.float64)

    mean, deviation = features(train).mean(0), features(train).std(0)
    deviation[deviation == 0] = 1
    fitted = Ridge(alpha=1.0).fit((features(train) - mean) / deviation, train.targets)
    predicted: Values = fitted.predict((features(test) - mean) / deviation).reshape(test.targets.shape)
    return predicted


def _alpha(valid: SplitRows, loss: Callable[[Values, Values], Values]) -> float:
    """The smoothing factor with the lowest loss at the first horizon on the validation days."""

    def total(alpha: float) -> float:
        forecasts = ((part, ewma(part.values, alpha)[part.places]) for part in valid.parts)
        return sum(float(loss(valid.targets[part.rows, 0], forecast).sum()) for part, forecast in forecasts)

    return min(ALPHAS, key=total)
