"""Invalid series are refused with a precise message, alone and in a batch, and never make the model fail."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from asking import ask, assert_same
from forecasters import request_of

from serving.endpoints.shared import Json

Series = dict[str, list[Any]]
Change = Callable[[Series], Any]  # modifies a valid series in place


def put(column: str, place: int, value: Any) -> Change:
    return lambda series: series[column].__setitem__(place, value)


def cut(count: int) -> Change:
    return lambda series: series.update({name: values[:count] for name, values in series.items()})


def name(old: str, new: str) -> Change:
    return lambda series: series.update({new: series.pop(old)})


def whole(column: str, value: Callable[[int], Any]) -> Change:
    return lambda series: series.update({column: [value(i) for i in range(len(series["close"]))]})


def flat(series: Series) -> None:
    for column in ("high", "low", "close"):
        series[column] = [10.0] * len(series[column])


PRICES: list[tuple[str, Change, str, str]] = [
    ("zero", put("close", 3, 0), "invalid_value", r"close[3] is 0.0; it must be above zero"),
    ("below", put("low", 0, -5.5), "invalid_value", "low[0] is -5.5; it must be above zero"),
    ("nan", put("high", 5, float("nan")), "invalid_value", "high[5] is NaN, not a finite number"),
    ("infinity", put("high", 5, float("inf")), "invalid_value", "high[5] is Infinity, not a finite number"),
    ("text", put("close", 2, "12.5"), "invalid_value", 'close[2] is "12.5", not a finite number'),
    ("crossed", put("low", 4, 1e6), "invalid_value", "at position 4, close "),
    ("outside", put("close", 4, 1e6), "invalid_value", "at position 4, close 1000000.0 is not between low "),
    ("short", cut(8), "input_too_short", "the series has 8 times; a forecast needs 9"),
    ("empty", cut(0), "input_too_short", "the series has 0 times; a forecast needs 9"),
    ("ragged", lambda s: s["low"].pop(), "unequal_lengths", "have different numbers of values: high 12, low 11, close 12"),
    ("ragged dates", lambda s: s["dates"].pop(), "unequal_lengths", "high 12, low 12, close 12, dates 11"),
    ("missing", lambda s: s.pop("low"), "missing_column", 'the series has no "low"; it needs high, low, close'),
    ("none", lambda s: s.clear(), "missing_column", 'the series has no "high"; it needs high, low, close'),
    ("unknown", name("close", "clsoe"), "unknown_column", 'unknown column "clsoe"; did you mean "close"?'),
    ("date", name("dates", "date"), "unknown_column", 'unknown column "date"; did you mean "dates"?'),
    ("constant", flat, "constant_series", "close is constant over the last 9 times; it cannot be used to forecast"),
    ("no date", put("dates", 1, "yesterday"), "invalid_dates", 'dates[1] is "yesterday"; write dates as 2018-12-31'),
    ("a number", put("dates", 1, 20181231), "invalid_dates", "dates[1] is 20181231.0; write dates as 2018-12-31"),
    ("twice", lambda s: put("dates", 6, s["dates"][5])(s), "invalid_dates", "dates[6] is not later than the one before"),
    ("backwards", lambda s: s["dates"].reverse(), "invalid_dates", "dates[1] is not later than the one before"),
    ("zones", put("dates", 11, "2040-01-01T00:00Z"), "invalid_dates", "some dates have a time zone and others do not"),
]
NO_SERIES: list[tuple[str, Any]] = [
    ("text", "rise"),
    ("number", 5),
    ("null", None),
    ("nothing", []),
    ("rows", [[1.0, 2.0]]),
    ("number in a column", {"high": 5}),
    ("null in a column", {"close": [None]}),
    ("true in a column", {"close": [True]}),
    ("object in a column", {"close": [{}]}),
    ("digits without end", {"close": [10**400]}),
]
PARAMETERS: list[tuple[str, dict[str, Any], str, str]] = [
    ("untrained", {"horizons": [1, 2]}, "invalid_parameter", "horizons: the model was trained for 1, 5, not for 2"),
    ("no horizon", {"horizons": []}, "invalid_parameter", "horizons: "),
    ("text", {"horizons": ["1"]}, "invalid_parameter", "horizons: "),
    ("too low", {"quantiles": [0.5, 0.001]}, "invalid_parameter", "quantiles: levels must be from 0.01 to 0.99, not 0.001"),
    ("no level", {"quantiles": [1.5]}, "invalid_parameter", "quantiles: "),
    ("no levels", {"quantiles": []}, "invalid_parameter", "quantiles: "),
    ("a hundred", {"quantiles": [0.5] * 100}, "invalid_parameter", "quantiles: "),
    ("no truth", {"attention": "yes"}, "invalid_parameter", "attention: "),
    ("misspelt", {"horizon": [1]}, "unknown_parameter", 'unknown parameter "horizon"; did you mean "horizons"?'),
]


def refusal(folder: Path, body: Json) -> Json:
    """The error in the answer to a request."""
    (reply,) = ask(folder, body)
    assert reply.status == 400, reply
    json.dumps(reply.body, allow_nan=False)
    return reply.body["error"]


@pytest.fixture(scope="module")
def prices(forecasters: dict[str, Path]) -> Path:
    return forecasters["qlike"]


@pytest.mark.parametrize(("change", "code", "said"), [case[1:] for case in PRICES], ids=[case[0] for case in PRICES])
def test_an_invalid_series_is_refused_alone_and_in_a_list(prices: Path, change: Change, code: str, said: str) -> None:
    good = request_of(prices, 12)["inputs"]
    bad = deepcopy(good)
    change(bad)
    alone = refusal(prices, {"inputs": bad})
    assert alone["code"] == code
    assert said in alone["message"]
    assert "input" not in alone
    assert refusal(prices, {"inputs": [good, bad]}) == {**alone, "input": 1}
    before, _, after = ask(prices, {"inputs": good}, {"inputs": bad}, {"inputs": good})
    assert (before.status, after.status) == (200, 200)
    assert_same(after.body, before.body)


@pytest.mark.parametrize("value", [case[1] for case in NO_SERIES], ids=[case[0] for case in NO_SERIES])
def test_inputs_other_than_series_are_refused(prices: Path, value: Any) -> None:
    error = refusal(prices, {"inputs": value})
    assert error["code"] == "invalid_inputs"
    assert "must be an object of columns, each an array of numbers or a list of 1 to 64 such objects" in error["message"]
    if value != []:
        assert refusal(prices, {"inputs": [request_of(prices, 12)["inputs"], value]})["code"] == "invalid_inputs"


@pytest.mark.parametrize(("parameters", "code", "said"), [case[1:] for case in PARAMETERS], ids=[case[0] for case in PARAMETERS])
def test_parameters_that_the_model_does_not_support_are_refused(prices: Path, parameters: Json, code: str, said: str) -> None:
    error = refusal(prices, request_of(prices, 12, **parameters))
    assert (error["code"], said in error["message"]) == (code, True), error
    assert "input" not in error


def test_an_event_model_has_no_quantiles(forecasters: dict[str, Path]) -> None:
    error = refusal(forecasters["event"], request_of(forecasters["event"], 0, quantiles=[0.5]))
    assert error == {"code": "invalid_parameter", "message": "quantiles: this model forecasts the probability of an event"}


def test_a_quantile_model_refuses_levels_beyond_its_own(forecasters: dict[str, Path]) -> None:
    error = refusal(forecasters["quantile"], request_of(forecasters["quantile"], 0, quantiles=[0.5, 0.95]))
    assert error["message"] == "quantiles: levels must be from 0.1 to 0.9, not 0.95"


def test_a_model_without_attention_refuses_to_return_it(forecasters: dict[str, Path]) -> None:
    error = refusal(forecasters["event"], request_of(forecasters["event"], 0, attention=True))
    assert error == {"code": "invalid_parameter", "message": "attention: this model has no attention"}


def test_a_series_over_the_limit_is_refused(prices: Path) -> None:
    longest = json.loads((prices / "bundle.json").read_text())["max_length"]
    series = request_of(prices, 12)["inputs"]
    long = {column: values * (longest // 12 + 1) for column, values in series.items() if column != "dates"}
    error = refusal(prices, {"inputs": long})
    assert error["code"] == "input_too_long"
    assert error["message"].endswith(f"this model takes at most {longest}, so send the latest ones")
    (reply,) = ask(prices, {"inputs": {column: values[:longest] for column, values in long.items()}})
    assert reply.status == 200


def test_a_value_may_be_negative_if_the_quantity_may(forecasters: dict[str, Path]) -> None:
    body = request_of(forecasters["quantile"], 0)
    body["inputs"]["load"][-3:] = [-3.0, 0.0, 1.0]
    (reply,) = ask(forecasters["quantile"], body)
    assert reply.status == 200
    body["inputs"]["load"] = [1.0] * len(body["inputs"]["load"])
    assert refusal(forecasters["quantile"], body)["code"] == "constant_series"


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("loss", ["qlike", "quantile", "event"])
def test_numbers_of_any_magnitude_get_finite_answers(forecasters: dict[str, Path], loss: str, size: float) -> None:
    body = request_of(forecasters[loss], 0)
    for column, values in body["inputs"].items():
        if column != "dates":
            body["inputs"][column] = [size * value for value in values]
    (reply,) = ask(forecasters[loss], body)
    json.dumps(reply.body, allow_nan=False)
    assert reply.status == 200 or reply.body["error"]["code"] == "invalid_value", reply


def test_an_extreme_range_is_refused_without_affecting_its_neighbours(prices: Path) -> None:
    good, bad = request_of(prices, 12), request_of(prices, 12)
    bad["inputs"]["high"][11], bad["inputs"]["low"][11] = 1e300, 1e-300
    assert refusal(prices, bad)["code"] == "invalid_value"
    assert refusal(prices, {"inputs": [good["inputs"], bad["inputs"]]})["input"] == 1
    replies = ask(prices, good, bad, good)
    assert [reply.status for reply in replies] == [200, 400, 200]
    assert_same(replies[2].body, replies[0].body)
