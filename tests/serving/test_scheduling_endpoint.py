"""Requests to a scheduler: answers and error messages."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from orders import market

from models.scheduling.scheduler import Scheduler
from models.series.days import SIZE
from models.series.execution import Impact
from models.series.market import COLUMNS, RECIPE, MarketRecipe, MarketWindow
from models.series.relative import STEPS
from models.text.json_files import write_json
from pipelines.kinds.scheduling import graphs
from pipelines.onnx_export.graph import export_graph
from serving.bundle import Bundle, OrderLimits
from serving.predictor import Predictor, load_predictor

WINDOW, LONGEST = 60, 20
LIMITS = OrderLimits(longest=LONGEST, most_share=0.3, most_aversion=100.0)
RECIPE_OF = MarketRecipe(WINDOW, LONGEST, Impact(spread=0.0001, temporary=0.01, permanent=0.001))
Body = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> Scheduler:
    torch.manual_seed(0)
    sizes = {"steps": STEPS, "calendar": SIZE, "longest": LONGEST, "hidden_size": 8, "layers": 1, "attention_size": 4}
    model = Scheduler(cell="gru", attention="general", dropout=0.0, volume_weight=1.0, **sizes)
    model.normalize_by(torch.randn(100, STEPS))
    model.begin_with(0.1 * torch.randn(SIZE))
    torch.nn.init.normal_(model.output.weight)
    return model.eval()


@pytest.fixture(scope="module")
def predictor(model: Scheduler, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("bundle")
    (graph,) = graphs.graphs(model, None)  # type: ignore[arg-type]  # it only uses the model
    export_graph(graph, folder)
    write_json(folder / RECIPE, asdict(RECIPE_OF))
    Bundle.write(folder, task="execution", kind="scheduling", max_length=100, orders=LIMITS)
    return load_predictor(folder)


def order(**changed: Any) -> Body:
    return {"side": "buy", "share": 0.1, "horizon": 5, "risk_aversion": 10.0} | changed


def asked(seed: int = 0, days: int = WINDOW, **changed: Any) -> Body:
    """An input with dates."""
    series = market(days, seed)
    columns = {name: [float(f"{value:.8g}") for value in series.columns[name]] for name in COLUMNS}
    return {"order": order(), **columns, "dates": [str(day)[:10] for day in series.times]} | changed


def answer(predictor: Predictor, inputs: Any, **parameters: Any) -> Any:
    (reply,) = predictor.answer([{"inputs": inputs, "parameters": parameters}])
    assert reply.status == 200, reply.body
    return json.loads(json.dumps(reply.body))


def fault(predictor: Predictor, inputs: Any) -> Body:
    (reply,) = predictor.answer([{"inputs": inputs}])
    assert reply.status == 400, reply.body
    error: Body = reply.body["error"]
    return error


def test_shares_sum_to_one(predictor: Predictor) -> None:
    found = answer(predictor, asked(), closed_form=True)
    assert [day["day"] for day in found["days"]] == [1, 2, 3, 4, 5]
    for name in ("share", "volume_share", "closed_form"):
        assert sum(day[name] for day in found["days"]) == pytest.approx(1, abs=1e-4)
    assert found["days"][0]["date"] > asked()["dates"][-1]
    assert found["simulated"]["cost_bps"] > 0
    assert found["simulated"]["deviation_bps"] > 0


def test_the_graph_computes_what_torch_does(model: Scheduler, predictor: Predictor) -> None:
    series = market(WINDOW)
    window = MarketWindow.of(series.columns, series.times.astype("datetime64[D]"), RECIPE_OF)
    read = {"days": window.days, "ahead": window.ahead}
    given = {name: torch.from_numpy(values).float()[None] for name, values in read.items()}
    expected, _ = model.predict(**given, lengths=torch.tensor([WINDOW]), horizon=torch.tensor([5]), aversion=torch.tensor([10.0]))
    ours = [day["share"] for day in answer(predictor, asked())["days"]]
    np.testing.assert_allclose(ours, expected[0, :5].detach().numpy(), atol=1e-5)


def test_a_batch_gets_the_same_answers_as_its_inputs(predictor: Predictor) -> None:
    inputs = [asked(i, order=order(horizon=h)) for i, h in enumerate((1, 5, 20))]
    together = answer(predictor, inputs)
    for one, theirs in zip(inputs, together, strict=True):
        ours = answer(predictor, one)
        assert [day["share"] for day in ours["days"]] == pytest.approx([day["share"] for day in theirs["days"]], abs=2e-6)
        assert len(ours["days"]) == one["order"]["horizon"]


def test_buyers_and_sellers_get_the_same(predictor: Predictor) -> None:
    bought, sold = (answer(predictor, asked(order=order(side=side))) for side in ("buy", "sell"))
    assert bought.pop("side") != sold.pop("side")
    assert bought == sold


def test_days_before_the_window_change_nothing(predictor: Predictor) -> None:
    longer = asked(days=80)
    latest = {name: values[-WINDOW:] if isinstance(values, list) else values for name, values in longer.items()}
    assert answer(predictor, longer) == answer(predictor, latest)


def test_without_dates_the_answer_has_none(predictor: Predictor) -> None:
    bare = asked()
    del bare["dates"]
    assert all("date" not in day for day in answer(predictor, bare)["days"])


def changed(column: str, place: int, value: Any) -> Body:
    body = asked()
    body[column] = list(body[column])
    body[column][place] = value
    return body


def twice() -> Body:
    body = asked()
    body["dates"] = [*body["dates"][:-1], body["dates"][-2]]
    return body


CONSTANT = [100.0] * WINDOW
BAD: dict[str, tuple[Body, str, str]] = {
    "price of zero": (changed("close", 3, 0.0), "invalid_value", "close[3] is 0.0"),
    "price below zero": (changed("low", 0, -5.0), "invalid_value", "low[0]"),
    "high below low": (changed("high", 7, 1.0), "invalid_value", "at position 7"),
    "not a number": (changed("close", 2, "NaN"), "invalid_value", 'close[2] is "NaN"'),
    "null": (changed("close", 2, None), "invalid_inputs", "close[2]"),
    "infinite": (changed("volume", 2, float("inf")), "invalid_value", "not a finite number"),
    "beyond all size": (changed("high", 2, 1e200), "invalid_value", "out of range"),
    "no volume": (changed("volume", 9, 0.0), "invalid_value", "volume[9]"),
    "volume below zero": (changed("volume", 9, -1.0), "invalid_value", "volume[9]"),
    "too few days": (asked(days=WINDOW - 1), "input_too_short", "59 times; a schedule needs 60"),
    "too many days": (asked(days=101), "input_too_long", "at most 100"),
    "columns of different lengths": (asked(volume=[1.0]), "unequal_lengths", "volume 1"),
    "dates out of order": (asked(dates=asked()["dates"][::-1]), "invalid_dates", "dates[1]"),
    "a date twice": (twice(), "invalid_dates", f"dates[{WINDOW - 1}]"),
    "no date": (changed("dates", 4, "yesterday"), "invalid_dates", "dates[4]"),
    "a date of no calendar": (changed("dates", WINDOW - 1, "9999-12-31"), "invalid_dates", "1970 to 2199"),
    "no dates though asked": (asked(dates=[]), "unequal_lengths", "dates 0"),
    "longer horizon": (asked(order=order(horizon=21)), "invalid_order", "1 to 20 days"),
    "no horizon": (asked(order=order(horizon=0)), "invalid_order", "not 0"),
    "huge horizon": (asked(order=order(horizon=10**400)), "invalid_order", "order.horizon"),
    "no share": (asked(order=order(share=0.0)), "invalid_order", "order.share"),
    "large share": (asked(order=order(share=0.5)), "invalid_order", "at most 0.3"),
    "high aversion": (asked(order=order(risk_aversion=101.0)), "invalid_order", "0 to 100"),
    "negative aversion": (asked(order=order(risk_aversion=-1.0)), "invalid_order", "order.risk_aversion"),
    "unknown side": (asked(order=order(side="hold")), "invalid_inputs", 'not "hold"'),
    "no side": (asked(order={"share": 0.1, "horizon": 5, "risk_aversion": 1.0}), "invalid_inputs", "order.side: Field required"),
    "unknown field": (asked(open=CONSTANT), "invalid_inputs", "open: Extra inputs"),
    "constant": (asked(high=CONSTANT, low=CONSTANT, close=CONSTANT), "constant_series", "close is constant"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors_are_the_same_alone_and_in_a_list(predictor: Predictor, name: str) -> None:
    body, code, said = BAD[name]
    alone, among = fault(predictor, body), fault(predictor, [asked(), body])
    assert (alone["code"], alone.get("input")) == (code, None)
    assert said in alone["message"]
    assert (among["code"], among["input"], among["message"]) == (code, 1, alone["message"])


def test_a_bad_request_does_not_affect_its_neighbour(predictor: Predictor) -> None:
    good, bad = predictor.answer([{"inputs": asked()}, {"inputs": BAD["no share"][0]}])
    assert (good.status, bad.status) == (200, 400)


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column_is_named(predictor: Predictor, missing: str) -> None:
    body = asked()
    del body[missing]
    assert fault(predictor, body)["message"].startswith(f"{missing}: Field required")


def test_nan_is_refused_as_invalid_json(predictor: Predictor) -> None:
    body = json.dumps({"inputs": asked()}).replace("100000", "NaN", 1).encode()
    body = body if b"NaN" in body else json.dumps({"inputs": changed("close", 0, float("nan"))}).encode()
    (reply,) = predictor.answer([body])
    assert (reply.status, reply.body["error"]["code"]) == (400, "invalid_json")


def test_a_bundle_without_limits_is_invalid(tmp_path: Path) -> None:
    (tmp_path / RECIPE).write_text("{}")
    (tmp_path / "model.onnx").write_text("")
    with pytest.raises(Exception, match="orders"):
        Bundle.write(tmp_path, task="execution", kind="scheduling", max_length=100)
