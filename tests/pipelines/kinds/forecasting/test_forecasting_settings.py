"""An invalid forecaster block is refused with a one-line message that gives the fix."""

from copy import deepcopy
from typing import Any

import pytest
from forecasters import LOSSES, task_of

from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.settings.params import Params, checked, load_params
from pipelines.stage import StageError

EVENT = {"quantity": "squared_return", "level": 0.8, "history": 40, "horizons": [5]}
VALUE = {"quantity": "value", "target": "load"}
QUANTILE = {"loss": "quantile", "levels": [0.1, 0.9]}
WHERE = "tasks.volatility"


SHIPPED = load_params().model_dump(by_alias=True)


def refused(**changes: dict[str, Any]) -> str:
    """The error message for params.yaml with these changes to the first forecaster's block."""
    content = deepcopy(SHIPPED)
    for block, values in changes.items():
        content["tasks"]["volatility"][block] |= values
    with pytest.raises(StageError) as raised:
        checked(content, Params, "params.yaml")
    return str(raised.value)


@pytest.mark.parametrize("task", ["volatility", "attention", "regimes"])
def test_the_tasks_that_are_shipped_are_valid(task: str) -> None:
    assert load_params().task_of(task, ForecastingTask).units == "times"


@pytest.mark.parametrize("loss", LOSSES)
def test_the_tasks_of_these_tests_are_valid(loss: str) -> None:
    assert task_of(loss).model.loss == loss


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ({"target": "load"}, "prepare: target: range_variance is computed from prices"),
        ({"quantity": "value"}, "prepare: target: value needs a column"),
        ({"quantity": "varience"}, "prepare.quantity = 'varience': must be 'range_variance', 'squared_return', 'value' or"),
        ({"inputs": ["volume"]}, "prepare: inputs: range_variance is computed from prices alone"),
        ({**VALUE, "inputs": ["load"]}, "prepare: inputs: load occurs twice"),
        ({**VALUE, "inputs": ["heat", "rain", "heat"]}, "prepare: inputs: heat occurs twice"),
        ({**VALUE, "inputs": ["target"]}, "prepare: inputs: target is a reserved name"),
        ({**VALUE, "inputs": ["dates"]}, "prepare: inputs: dates is a reserved name"),
        ({"horizons": [5, 1]}, "prepare: horizons have to ascend, not [5, 1]"),
        ({"horizons": [1, 1]}, "prepare: horizons have to ascend, not [1, 1]"),
        ({"horizons": []}, "prepare.horizons = []: list should have at least 1 item"),
        ({"horizons": [0]}, "prepare.horizons.0 = 0: input should be greater than 0"),
        ({"horizons": ["1"]}, "prepare.horizons.0 = '1': input should be a valid integer"),
        ({"averages": []}, "prepare.averages = []: list should have at least 1 item"),
        ({"window": 0}, "prepare.window = 0: input should be greater than 0"),
        ({"stride": 0}, "prepare.stride = 0: input should be greater than 0"),
        ({"season": -1}, "prepare.season = -1: input should be greater than or equal to 0"),
        ({"level": 1.0}, "prepare.level = 1.0: input should be less than 1"),
        ({"level": 0.8}, "prepare: level and history have to be set together"),
        ({"history": 40}, "prepare: level and history have to be set together"),
        ({**EVENT, "horizons": [1, 5]}, "prepare: level: an event needs the mean of a positive quantity at one horizon"),
        ({**EVENT, "aggregate": "last"}, "prepare: level: an event needs the mean of a positive quantity at one horizon"),
        ({**EVENT, **VALUE}, "prepare: level: an event needs the mean of a positive quantity at one horizon"),
        ({"aggregate": "sum"}, "prepare.aggregate = 'sum': must be 'mean' or 'last'"),
        ({"test_from": "2010-12-31"}, "prepare: test_from must be later than valid_from, which is 2011-01-01"),
        ({"test_from": "2011-01-01"}, "prepare: test_from must be later than valid_from"),
        ({"valid_from": "31.12.2010"}, "prepare.valid_from = '31.12.2010': write a date as 2018-12-31"),
        ({"valid_from": 2010}, "prepare.valid_from = 2010: "),
        ({"horizon": [1]}, "unknown key 'tasks.volatility.prepare.horizon'; did you mean 'horizons'?"),
        ({"windw": 66}, "unknown key 'tasks.volatility.prepare.windw'; did you mean 'window'?"),
    ],
)
def test_invalid_prepare_settings_are_refused_naming_the_key(prepare: dict[str, Any], said: str) -> None:
    message = refused(prepare=prepare)
    assert (said if said.startswith("unknown") else f"{WHERE}.{said}") in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"loss": "quantile"}, "model: levels: the quantile loss needs two or more, ascending"),
        ({"loss": "quantile", "levels": [0.5]}, "model: levels: the quantile loss needs two or more"),
        ({"loss": "quantile", "levels": [0.9, 0.1]}, "model: levels: the quantile loss needs two or more, ascending"),
        ({"loss": "quantile", "levels": [0.1, 0.1]}, "model: levels: the quantile loss needs two or more, ascending"),
        ({"loss": "quantile", "levels": [0.1, 1.0]}, "model.levels.1 = 1.0: input should be less than 1"),
        ({"loss": "quantile", "levels": [0.6, 0.9]}, "model: levels: the median, which is evaluated, is not between"),
        ({"levels": [0.1, 0.9]}, "model: levels: the loss qlike takes none"),
        ({"loss": "mse"}, "model.loss = 'mse': must be 'qlike', 'quantile' or 'event'"),
        ({"cell": "grue"}, "model.cell = 'grue': must be 'rnn', 'rnn_relu', 'lstm', 'peephole' or 'gru'"),
        ({"attention": "bahdenau"}, "model.attention = 'bahdenau': must be 'last', 'uniform', 'bahdanau', 'dot',"),
        ({"members": 0}, "model.members = 0: input should be greater than 0"),
        ({"linear": "yes"}, "model.linear = 'yes': input should be a valid boolean"),
        ({"dropout": 1.0}, "model.dropout = 1.0: input should be less than 1"),
        ({"hiden_size": 16}, "unknown key 'tasks.volatility.model.hiden_size'; did you mean 'hidden_size'?"),
    ],
)
def test_invalid_model_settings_are_refused_naming_the_key(model: dict[str, Any], said: str) -> None:
    message = refused(model=model)
    assert (said if said.startswith("unknown") else f"{WHERE}.{said}") in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prepare": EVENT}, "volatility: model.loss: event and prepare.level have to be set together"),
        ({"model": {"loss": "event"}}, "volatility: model.loss: event and prepare.level have to be set together"),
        ({"prepare": VALUE}, "volatility: model.loss: qlike is for positive quantities; use quantile"),
        ({"prepare": {"aggregate": "last", "horizons": [5]}}, "prepare.aggregate: the baselines of qlike forecast means;"),
        ({"evaluate": {"refit_every": 0}}, "volatility.evaluate.refit_every = 0: input should be greater than 0"),
        ({"evaluate": {"blok": 5}}, "unknown key 'tasks.volatility.evaluate.blok'; did you mean 'block'?"),
        ({"data": {"vectors": "vectors/glove-6b"}}, "volatility.data.vectors = 'vectors/glove-6b': must be 'none'"),
        (
            {"data": {"set": "index-price"}},
            "data.set refers to 'index-price', which does not exist; did you mean 'index-prices'?",
        ),
    ],
)
def test_inconsistent_settings_are_refused(changes: dict[str, dict[str, Any]], said: str) -> None:
    assert said in refused(**changes)


def test_a_positive_quantity_may_have_quantiles() -> None:
    task = task_of("quantile", prepare={"quantity": "positive_value"})
    assert task.model.levels == [0.1, 0.5, 0.9]
