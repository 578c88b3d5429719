"""Answers of forecasters: the same alone and in a batch, with the right horizons, quantiles, attention and dates."""

import json
from pathlib import Path

import numpy as np
import pytest
from asking import Body, assert_same
from forecasters import LEVELS, LOSSES, request_of, task_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.kinds.forecasting.evaluation.rows import SplitRows, assert_served_alike
from pipelines.kinds.forecasting.showing import requests, typical
from pipelines.packaging.examples import answered
from pipelines.packaging.reference import reference
from pipelines.stages.package import Origin, package
from serving.bundle import Bundle, BundleError, Forecast
from serving.contract.requests import parse_request
from serving.endpoints.forecasting.contract import ANSWER, Forecasted, ForecastingRequest
from serving.endpoints.shared import Json
from serving.predictor import Predictor, load_predictor
from serving.predictors.forecasting import Forecaster
from serving.server import openapi
from serving.server.archive import find_archives


@pytest.fixture(scope="module")
def predictors(forecasters: dict[str, Path]) -> dict[str, Predictor]:
    return {loss: load_predictor(folder) for loss, folder in forecasters.items()}


def answers(predictor: Predictor, *bodies: Body) -> list[Json]:
    replies = predictor.answer(bodies)
    assert all(reply.status == 200 for reply in replies), replies
    return [reply.body for reply in replies]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_series_gets_the_same_answer_alone_in_a_list_and_in_a_batch(
    predictors: dict[str, Predictor], forecasters: dict[str, Path], loss: str
) -> None:
    bodies = [request_of(forecasters[loss], times) for times in (0, 90, 200)]
    alone = [answers(predictors[loss], body)[0] for body in bodies]
    assert_same(answers(predictors[loss], *bodies), alone)
    (listed,) = answers(predictors[loss], {"inputs": [body["inputs"] for body in bodies]})
    assert_same(listed, alone)
    for body in (*alone, listed):
        ANSWER.validate_json(json.dumps(body, allow_nan=False))


@pytest.mark.parametrize("loss", LOSSES)
def test_earlier_times_than_needed_change_nothing(
    predictors: dict[str, Predictor], forecasters: dict[str, Path], loss: str
) -> None:
    exact, longer = answers(predictors[loss], request_of(forecasters[loss], 0), request_of(forecasters[loss], 150))
    assert_same(longer, exact)


def test_integers_and_fractions_are_the_same_numbers(predictors: dict[str, Predictor], forecasters: dict[str, Path]) -> None:
    body = request_of(forecasters["qlike"], 0)
    whole = {name: [round(v) + i % 3 for i, v in enumerate(values)] for name, values in body["inputs"].items() if name != "dates"}
    whole |= {"high": [v + 5 for v in whole["high"]], "low": [v - 5 for v in whole["low"]]}
    fractions = {name: [float(v) for v in values] for name, values in whole.items()}
    one, other = answers(predictors["qlike"], {"inputs": whole}, {"inputs": fractions})
    assert_same(one, other)


def test_a_variance_has_a_mean_for_each_requested_horizon(predictors: dict[str, Predictor], forecasters: dict[str, Path]) -> None:
    folder = forecasters["qlike"]
    every, one, turned = answers(
        predictors["qlike"],
        request_of(folder, 0),
        request_of(folder, 0, horizons=[5]),
        request_of(folder, 0, horizons=[5, 1]),
    )
    assert [forecast["horizon"] for forecast in every["forecasts"]] == [1, 5]
    assert all(forecast["mean"] > 0 and forecast.keys() == {"horizon", "mean"} for forecast in every["forecasts"])
    assert_same(one["forecasts"], every["forecasts"][1:])
    assert_same(turned["forecasts"], every["forecasts"][::-1])


@given(levels=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=9, unique=True).map(sorted))
@settings(max_examples=20)
def test_quantiles_ascend_with_their_levels(
    predictors: dict[str, Predictor], forecasters: dict[str, Path], levels: list[float]
) -> None:
    (answer,) = answers(predictors["qlike"], request_of(forecasters["qlike"], 0, quantiles=levels))
    for forecast in answer["forecasts"]:
        assert [quantile["level"] for quantile in forecast["quantiles"]] == levels
        values = [quantile["value"] for quantile in forecast["quantiles"]]
        assert values == sorted(values)
        assert min(values) > 0


def test_a_quantile_model_interpolates_between_its_levels(predictors: dict[str, Predictor], forecasters: dict[str, Path]) -> None:
    folder = forecasters["quantile"]
    own, between = answers(predictors["quantile"], request_of(folder, 0), request_of(folder, 0, quantiles=[0.3, 0.5]))
    for said, asked in zip(own["forecasts"], between["forecasts"], strict=True):
        assert "mean" not in said
        assert [quantile["level"] for quantile in said["quantiles"]] == list(LEVELS)
        low, middle, high = (quantile["value"] for quantile in said["quantiles"])
        assert low <= middle <= high
        assert [quantile["value"] for quantile in asked["quantiles"]] == pytest.approx([(low + middle) / 2, middle])


def test_an_event_has_a_probability_and_a_threshold_from_its_own_past(
    predictors: dict[str, Predictor], forecasters: dict[str, Path]
) -> None:
    folder = forecasters["event"]
    body = request_of(folder, 100)
    (answer,) = answers(predictors["event"], body)
    ((forecast),) = answer["forecasts"]
    assert forecast.keys() == {"horizon", "probability", "threshold"}
    assert 0 < forecast["probability"] < 1
    close = np.array(body["inputs"]["close"])
    squares = np.maximum(np.diff(np.log(close)) ** 2, 1e-7)
    means = sorted(np.convolve(squares, np.ones(5) / 5, "valid")[-40:])
    assert forecast["threshold"] == pytest.approx(means[31])  # the 32nd of 40: 80 %


@pytest.mark.parametrize("loss", ["qlike", "quantile"])
def test_attention_sums_to_one_and_has_dates(predictors: dict[str, Predictor], forecasters: dict[str, Path], loss: str) -> None:
    body = request_of(forecasters[loss], 50, attention=True)
    dates = body["inputs"]["dates"]
    without = {**body, "inputs": {name: values for name, values in body["inputs"].items() if name != "dates"}}
    dated, undated, silent = answers(predictors[loss], body, without, request_of(forecasters[loss], 50))
    assert sum(dated["attention"]) == pytest.approx(1, abs=1e-4)
    assert dated["dates"] == dates[-8:]
    assert len(dated["attention"]) == 8
    assert "dates" not in undated
    assert_same(undated["attention"], dated["attention"])
    assert silent.keys() == {"forecasts"}


def test_an_answer_is_parsed_into_its_type(predictors: dict[str, Predictor], forecasters: dict[str, Path]) -> None:
    body = request_of(forecasters["qlike"], 0, quantiles=[0.1, 0.9], attention=True)
    (answer,) = answers(predictors["qlike"], body)
    (read,) = parse_request(ForecastingRequest, body).read(answer)
    assert isinstance(read, Forecasted)
    assert read.forecasts[1].horizon == 5
    assert read.forecasts[1].probability is None


@pytest.mark.parametrize("loss", LOSSES)
def test_served_forecasts_equal_those_of_the_evaluation(forecasters: dict[str, Path], loss: str) -> None:
    """A client's forecasts from raw columns equal those that the evaluation computes from prepared days."""
    forecaster, prepared = Forecaster.load(forecasters[loss]), forecasters[loss].parent / "prepared" / loss
    test = SplitRows.read(prepared, "test")
    values, attention = forecaster.run(test.days, test.linear)
    assert_served_alike(forecaster, prepared, values, 0)
    np.testing.assert_allclose(attention.sum(axis=1), 1, rtol=1e-5)
    small, _ = forecaster.run(test.days, test.linear, batch_size=7)
    np.testing.assert_allclose(small, values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_examples_of_an_archive_are_answered(forecasters: dict[str, Path], loss: str) -> None:
    task = task_of(loss, model={"attention": "last"} if loss == "event" else {})
    prepared = forecasters[loss].parent / "prepared" / loss
    made = answered(forecasters[loss], requests(task, prepared))
    assert [example.summary for example in made][::2] == ["A series", "Several series"][: (len(made) + 1) // 2]
    first = made[0].request["inputs"]
    assert len(first["dates"]) == Forecaster.load(forecasters[loss]).recipe.needed
    assert first["dates"][-1] < str(task.prepare.test_from)
    assert (loss == "event") == all("attention" not in example.summary for example in made)
    assert reference(forecasters[loss], typical(prepared)).length_edges == []


def test_the_openapi_document_describes_series(forecasters: dict[str, Path], tmp_path: Path) -> None:
    folder = forecasters["qlike"]
    package(folder, task_of(), tmp_path, folder.parent / "prepared/qlike", Origin("0123abcd", "1"))
    document = openapi.document(find_archives(tmp_path))
    path = "/predictions/qlike"
    assert [found for found in document["paths"] if found.startswith("/predictions/")] == [path]
    shown = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert shown["schema"]["$ref"].endswith("forecasting_request")
    for example in shown["examples"].values():
        parse_request(ForecastingRequest, example["value"])
    assert "horizons" in json.dumps(document["components"]["schemas"])


def test_a_bundle_without_its_forecast_or_recipe_is_refused(forecasters: dict[str, Path], tmp_path: Path) -> None:
    for file in ("model.onnx", "recipe.json"):
        (tmp_path / file).write_bytes((forecasters["qlike"] / file).read_bytes())
    with pytest.raises(BundleError, match="`forecast` is missing; a forecasting bundle needs it"):
        Bundle.write(tmp_path, task="it", kind="forecasting", max_length=9)
    (tmp_path / "recipe.json").unlink()
    with pytest.raises(BundleError, match=r"recipe\.json is missing"):
        Bundle.write(tmp_path, task="it", kind="forecasting", max_length=9, forecast=Forecast(loss="event", attention=False))


def test_any_iso_8601_date_is_accepted(predictors: dict[str, Predictor], forecasters: dict[str, Path]) -> None:
    body = request_of(forecasters["qlike"], 0, attention=True)
    body["inputs"]["dates"] = [f"{day}T23:30:00+01:00" for day in body["inputs"]["dates"]]
    (answer,) = answers(predictors["qlike"], body)
    assert answer["dates"][0].endswith("T23:30:00+01:00")
