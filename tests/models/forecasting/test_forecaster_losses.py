"""A forecaster's losses equal their equations, and are minimal at the intended forecast."""

import numpy as np
import pytest
import torch
from forecasters import LEVELS, LOSSES, F, H, K, L, batch, forecaster
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.forecasting.forecaster import Forecaster
from models.names import ForecastLossName
from pipelines.evaluation.walk_forward.losses import log_loss, pinball, qlike


def constant(model: Forecaster, biases: Tensor, weights: Tensor | None = None) -> Forecaster:
    """The same with only its linear part."""
    for member in model.members:
        torch.nn.init.zeros_(member.output.weight)  # type: ignore[arg-type, union-attr]
    model.begin_with(torch.zeros(H, K) if weights is None else weights, biases)
    return model


def loss_of(model: Forecaster, target: Tensor) -> float:
    rows = len(target)
    some = batch(rows) | {"target": target}
    with torch.no_grad():
        total, count = model(*some.values())
    assert count == target.numel()
    return float(total) / int(count)


@given(st.integers(0, 50), st.sampled_from(LOSSES), st.booleans())
def test_the_loss_equals_its_equation(seed: int, loss: ForecastLossName, above: bool) -> None:
    model, some = forecaster(loss, members=1, positive=above or loss == "qlike"), batch(5, seed=seed)
    target = (some["target"] > 0.6).float() if loss == "event" else some["target"]
    if loss == "quantile" and not model.positive:
        model.normalize_by(torch.randn(9, F), torch.randn(9, K), 3 + 2 * torch.randn(9, H))
    with torch.no_grad():
        total, count = model(some["days"], some["days_lengths"], some["linear"], target)
        forecast = model.predict(some["days"], some["days_lengths"], some["linear"])[0].double().numpy()
    y = target.double().numpy()
    expected = {"qlike": qlike_of, "event": event_of, "quantile": quantile_of}[loss](model, y, forecast)
    assert count == y.size
    assert float(total) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def qlike_of(_: Forecaster, y: "np.ndarray", forecast: "np.ndarray") -> float:
    return float(qlike(y, np.exp(forecast[..., 0])).sum())


def event_of(_: Forecaster, y: "np.ndarray", forecast: "np.ndarray") -> float:
    return float(log_loss(y, forecast[..., 0]).sum())


def quantile_of(model: Forecaster, y: "np.ndarray", forecast: "np.ndarray") -> float:
    mean, deviation = model.target_mean.double().numpy(), model.target_deviation.double().numpy()
    z = np.log(y) if model.positive else (y - mean) / deviation
    return float(np.mean([pinball(z, forecast[..., i], level).sum() for i, level in enumerate(LEVELS)]))


@given(st.lists(st.floats(1e-6, 1e3), min_size=H, max_size=H), st.floats(1.05, 3))
def test_qlike_is_zero_only_for_a_perfect_forecast(came: list[float], factor: float) -> None:
    target = torch.tensor([came])
    model = constant(forecaster("qlike"), torch.log(target).T)
    assert loss_of(model, target) == pytest.approx(0, abs=1e-6)
    assert loss_of(model, factor * target) > 1e-4
    assert loss_of(model, target / factor) > 1e-4


def test_the_quantile_loss_is_minimal_at_the_quantiles() -> None:
    came = torch.rand(400, H, generator=torch.Generator().manual_seed(0)) + 0.5
    best = torch.quantile(torch.log(came).double(), torch.tensor(LEVELS, dtype=torch.double), dim=0).T.float()
    least = loss_of(constant(forecaster("quantile", positive=True), best), came)
    for place in range(len(LEVELS)):
        for step in (-0.05, 0.05):
            moved = best.clone()
            moved[:, place] += step
            assert loss_of(constant(forecaster("quantile", positive=True), moved), came) > least


def test_the_event_loss_is_minimal_at_the_event_rate() -> None:
    came = (torch.arange(100)[:, None] < torch.tensor([30, 60])).float()
    share = came.mean(0)[:, None]
    at = [loss_of(constant(forecaster("event"), torch.logit(share) + step), came) for step in (-0.2, 0.0, 0.2)]
    assert at[1] == min(at)


def test_normalization_uses_the_given_days() -> None:
    model = forecaster("quantile", positive=False)
    steps, linear, target = 5 + 3 * torch.randn(200, F), torch.randn(200, K), torch.randn(200, H) - 4
    steps[:, 1] = 0.1  # constant
    model.normalize_by(steps.double(), linear.double(), target.double())
    torch.testing.assert_close(model.step_mean, steps.mean(0))
    torch.testing.assert_close(model.step_deviation[[0, 2]], steps.std(0)[[0, 2]])
    assert model.step_deviation[1] == 1
    torch.testing.assert_close((model.linear_mean, model.target_deviation), (linear.mean(0), target.std(0)))


def test_normalized_inputs_do_not_depend_on_units() -> None:
    some, shift, factor = batch(6), torch.tensor([3.0, -20, 0.5]), torch.tensor([10.0, 0.1, 300])
    days = torch.randn(300, F)
    linear, target = torch.randn(300, K), torch.rand(300, H)
    here, there = forecaster(), forecaster()
    here.normalize_by(days, linear, target)
    there.normalize_by(days * factor + shift, 7 * linear - 1, target)
    with torch.no_grad():
        one = here.predict(some["days"], some["days_lengths"], some["linear"])
        other = there.predict(some["days"] * factor + shift, some["days_lengths"], 7 * some["linear"] - 1)
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert some["days"].shape[1] == L
