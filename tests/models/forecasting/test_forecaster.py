"""A forecaster ignores padding and other rows, its losses follow their equations, and quantiles do not cross."""

from typing import get_args

import pytest
import torch
from forecasters import LEVELS, LOSSES, F, H, L, batch, forecaster
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attention.family import ATTENTIONS
from models.forecasting.forecaster import Forecaster
from models.names import CellName, DaysName, ForecastLossName
from models.recurrent.cells import CELLS

losses = st.sampled_from(LOSSES)
cells: st.SearchStrategy[CellName] = st.sampled_from(get_args(CellName))
DAYS: tuple[DaysName, ...] = ("last", "uniform", "bahdanau", "dot", "general", "concat", "scaled_dot", "multihead")
attentions: st.SearchStrategy[DaysName] = st.sampled_from(DAYS)
rows = st.integers(1, 6)


def predict(model: Forecaster, some: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return model.predict(some["days"], some["days_lengths"], some["linear"])


def test_every_cell_and_attention_is_covered() -> None:
    assert set(CELLS) == set(get_args(CellName))
    assert set(DAYS) == {"last", "uniform", *ATTENTIONS}


@settings(max_examples=40)
@given(losses, cells, attentions, rows)
def test_padding_changes_nothing(loss: ForecastLossName, cell: CellName, attention: DaysName, count: int) -> None:
    model, some = forecaster(loss, cell=cell, attention=attention), batch(count)
    padding = torch.arange(L) >= some["days_lengths"][:, None]
    other = some | {"days": torch.where(padding[..., None], 9.0, some["days"])}
    longer = some | {"days": torch.cat([some["days"], torch.ones(count, 3, F)], 1)}
    values, weights = predict(model, some)
    torch.testing.assert_close(predict(model, other), (values, weights))
    found, shares = predict(model, longer)
    torch.testing.assert_close((found, shares[:, :L]), (values, weights))
    assert not weights[padding].any()
    assert not shares[:, L:].any()


@settings(max_examples=40)
@given(losses, cells, attentions, rows)
def test_a_batch_equals_its_rows_alone(loss: ForecastLossName, cell: CellName, attention: DaysName, count: int) -> None:
    model, some = forecaster(loss, cell=cell, attention=attention), batch(count)
    values, weights = predict(model, some)
    for i, length in enumerate(some["days_lengths"].tolist()):
        alone = {name: part[i : i + 1] for name, part in some.items()} | {"days": some["days"][i : i + 1, :length]}
        found, shares = predict(model, alone)
        torch.testing.assert_close(found[0], values[i], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(shares[0], weights[i, :length], rtol=1e-5, atol=1e-5)


@settings(max_examples=40)
@given(cells, attentions, rows)
def test_weights_of_the_days_sum_to_one(cell: CellName, attention: DaysName, count: int) -> None:
    some = batch(count)
    _, weights = predict(forecaster(cell=cell, attention=attention), some)
    torch.testing.assert_close(weights.sum(1), torch.ones(count))
    assert (weights >= 0).all()
    expected = {
        "uniform": (torch.arange(L) < some["days_lengths"][:, None]) / some["days_lengths"][:, None],
        "last": (torch.arange(L) == some["days_lengths"][:, None] - 1).float(),
    }
    if attention in expected:
        torch.testing.assert_close(weights, expected[attention])


@given(rows, st.booleans(), st.integers(0, 50))
def test_quantiles_do_not_cross(count: int, positive: bool, seed: int) -> None:
    some = batch(count, seed=seed)
    values, _ = predict(
        forecaster("quantile", positive=positive), some | {"days": 30 * some["days"], "linear": 30 * some["linear"]}
    )
    assert values.shape == (count, H, len(LEVELS))
    assert (values.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_disabled_linear_part_ignores_the_means(loss: ForecastLossName) -> None:
    some = batch(5)
    other = some | {"linear": some["linear"] + 1}
    off, on = forecaster(loss, linear=False), forecaster(loss, linear=True)
    torch.testing.assert_close(predict(off, some), predict(off, other))
    assert not torch.allclose(predict(on, some)[0], predict(on, other)[0])


def members_of(model: Forecaster, some: dict[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """The forecasts of each member alone."""
    found = []
    for member in model.members:
        alone = forecaster(model.loss, positive=model.positive, members=1)
        alone.members[0].load_state_dict(member.state_dict())
        found.append(predict(alone, some))
    return found


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("positive", [True, False])
def test_the_forecast_is_the_mean_of_the_members_forecasts(loss: ForecastLossName, positive: bool) -> None:
    model, some = forecaster(loss, positive=positive, members=3), batch(4)
    values, weights = predict(model, some)
    alone = members_of(model, some)
    each = torch.stack([one for one, _ in alone])
    logarithms = positive and loss != "event"
    torch.testing.assert_close(values, torch.log(torch.exp(each).mean(0)) if logarithms else each.mean(0))
    torch.testing.assert_close(weights, torch.stack([share for _, share in alone]).mean(0))


def test_members_have_different_initial_weights() -> None:
    one, other = (list(member.parameters()) for member in forecaster().members)
    assert all(not torch.equal(a, b) for a, b in zip(one, other, strict=True))
