"""The checks of series that endpoints share, and those of the forecaster's endpoint."""

import math
from typing import Any

import pytest

from models.series.recipe import Recipe
from serving.contract.faults import RequestError
from serving.contract.requests import parse_request
from serving.endpoints.forecasting.checks import check_series
from serving.endpoints.forecasting.contract import ForecastingRequest
from serving.endpoints.scheduling.contract import SchedulingRequest
from serving.endpoints.series import wrong_dates, wrong_numbers, wrong_prices

RECIPE = Recipe("range_variance", "", (), 3, (1,), 0, (1,), "mean", 0.0, 0)
PRICES: dict[str, list[float | str]] = {"high": [3.0, 4.0, 5.0, 5.0], "low": [1.0, 2.0, 3.0, 3.0], "close": [2.0, 3.0, 4.0, 3.5]}


def test_a_valid_series_passes() -> None:
    assert check_series(PRICES | {"dates": ["2018-12-27", "2018-12-28", "2018-12-31", "2019-01-02"]}, RECIPE, 10) is None


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"open": [1.0] * 4}, "unknown_column"),
        ({"close": [2.0]}, "unequal_lengths"),
        ({"high": [3.0, 4.0, 5.0, 0.0]}, "invalid_value"),
        ({"high": [3.0, 4.0, 5.0, 1.0]}, "invalid_value"),
        ({"low": [1.0, 2.0, "x", 3.0]}, "invalid_value"),
        ({"high": [9.0] * 4, "close": [3.0] * 4}, "constant_series"),
        ({"dates": ["2018-12-27", "2018-12-27", "2018-12-28", "2018-12-31"]}, "invalid_dates"),
    ],
)
def test_a_forecaster_reports_errors(changed: dict[str, list[float | str]], code: str) -> None:
    fault = check_series(PRICES | changed, RECIPE, 10)
    assert fault is not None
    assert fault[0] == code


def test_a_forecaster_limits_the_length() -> None:
    few = {name: values[:3] for name, values in PRICES.items()}
    assert (check_series(few, RECIPE, 10) or [""])[0] == "input_too_short"
    assert (check_series(PRICES, RECIPE, 3) or [""])[0] == "input_too_long"
    assert (check_series({"high": [1.0]}, RECIPE, 3) or [""])[0] == "missing_column"


@pytest.mark.parametrize("value", ["1", math.nan, math.inf, -math.inf, 1e101, 1e-101, None, True])
def test_values_that_are_not_numbers_or_out_of_range_are_refused(value: object) -> None:
    fault = wrong_numbers("close", [1.0, value], above_zero=False)
    assert fault is not None
    assert fault[0] == "invalid_value"
    assert fault[1].startswith("close[1]")


def test_negative_numbers_are_valid() -> None:
    assert wrong_numbers("balance", [-1.0, 0.0], above_zero=False) is None


def test_contradictory_prices_are_refused() -> None:
    assert wrong_prices({"high": [2.0], "low": [1.0], "close": [1.0]}) is None
    assert wrong_prices({"high": [2.0], "low": [1.0], "close": [2.5]}) is not None


def test_two_times_on_one_day_are_not_two_days() -> None:
    times = ["2018-12-31T10:00", "2018-12-31T16:00"]
    assert wrong_dates(times) is None
    assert (wrong_dates(times, daily=True) or [""])[0] == "invalid_dates"
    mixed = ["2018-12-31", "2019-01-02T00:00+01:00"]
    assert "time zone" in (wrong_dates(mixed) or ("", ""))[1]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([{"close": [1.0]}, {"close": [1.0, None]}], "close[1]: "),
        ({"close": {"a": 1}}, "close: "),
        ([{"close": [1.0]}, 7], '"inputs" must be'),
    ],
)
def test_a_fault_within_an_object_is_located(inputs: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(ForecastingRequest, {"inputs": inputs})
    assert caught.value.detail.code == "invalid_inputs"
    assert caught.value.detail.message.startswith(said)
    assert caught.value.detail.input == (1 if isinstance(inputs, list) else None)


def test_errors_name_an_orders_fields() -> None:
    with pytest.raises(RequestError, match=r"order\.horizon: Input should be a valid integer"):
        parse_request(SchedulingRequest, {"inputs": {"order": {"horizon": 2.5, "side": "buy", "share": 0.1, "risk_aversion": 1}}})
