"""Small forecasters: networks with random weights, synthetic series, tasks and bundles."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.forecasting.forecaster import Forecaster
from models.names import ForecastLossName
from pipelines.data.series.source import Series
from pipelines.kinds.forecasting.model import build
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.kinds.forecasting.training import begin, finish
from pipelines.settings.params import load_params
from pipelines.stages.export import export
from pipelines.stages.prepare import prepare_series
from pipelines.windows import Windows
from serving.predictors.forecasting import read_recipe

F, K, L, H = 3, 2, 6, 2  # features of a day, averages, days of a window, horizons
LEVELS = (0.1, 0.5, 0.9)
LOSSES: tuple[ForecastLossName, ...] = ("qlike", "quantile", "event")
SIZES: dict[str, Any] = {"members": 2, "horizons": H, "linear": True, "steps": F, "averages": K, "dropout": 0.3}
NETWORK: dict[str, Any] = {"cell": "gru", "hidden_size": 4, "layers": 1, "attention": "bahdanau", "attention_size": 3}
FIRST, VALID, TEST = "2001-01-01", "2001-09-01", "2001-12-01"
# Settings of the block `prepare` that depend on the loss.
PREPARE: dict[str, dict[str, Any]] = {
    "qlike": {"horizons": [1, 5]},
    "quantile": {"quantity": "value", "target": "load", "inputs": ["heat"], "season": 7, "horizons": [1, 3], "aggregate": "last"},
    "event": {"quantity": "squared_return", "horizons": [5], "level": 0.8, "history": 40},
}


def forecaster(loss: ForecastLossName = "qlike", **changes: Any) -> Forecaster:
    """A network whose output depends on the days, as after training."""
    torch.manual_seed(0)
    levels = LEVELS if loss == "quantile" else ()
    sizes = SIZES | NETWORK | {"positive": loss != "quantile"} | changes
    return loosened(Forecaster(loss=loss, levels=levels, **sizes)).eval()


def loosened(model: Forecaster) -> Forecaster:
    """The same model, with random weights instead of those that are initialized to zero."""
    for member in model.members:
        assert isinstance(member.output, nn.Linear)
        nn.init.normal_(member.output.weight, std=0.5)
    return model


def batch(rows: int, length: int = L, seed: int = 0) -> dict[str, Tensor]:
    """Inputs of a network, the first row being the longest, and a positive target."""
    torch.manual_seed(seed)
    lengths = torch.cat([torch.tensor([length]), torch.randint(1, length + 1, (rows - 1,))])
    target = torch.rand(rows, H) + 0.1
    return {"days": torch.randn(rows, length, F), "days_lengths": lengths, "linear": torch.randn(rows, K), "target": target}


def stock(name: str = "a", days: int = 420, seed: int = 0) -> Series:
    """Daily prices with persistent variance."""
    numbers = np.random.default_rng(seed)
    size = np.zeros(days)
    for day in range(1, days):
        size[day] = 0.95 * size[day - 1] + 0.3 * numbers.normal()
    steps = 0.004 * np.exp(size / 2)[:, None] * numbers.normal(size=(days, 8))
    path = 50 * np.exp(np.cumsum(steps)).reshape(days, 8)
    columns = {"high": path.max(axis=1), "low": path.min(axis=1), "close": path[:, -1]}
    return Series(name, calendar(days), columns)


def demand(name: str = "town", days: int = 420, seed: int = 0) -> Series:
    """A load with a weekly season that also depends slightly on the heat of the day before."""
    numbers = np.random.default_rng(seed)
    heat = numbers.normal(size=days)
    load = 3 * np.sin(2 * np.pi * np.arange(days) / 7) + np.r_[0, 0.3 * heat[:-1]] + 0.5 * numbers.normal(size=days)
    return Series(name, calendar(days), {"load": load, "heat": heat})


def calendar(days: int) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    """Consecutive days."""
    return (np.datetime64(FIRST) + np.arange(days)).astype("datetime64[s]")


def series_of(loss: str) -> list[Series]:
    """Two series for a task with this loss."""
    make = demand if loss == "quantile" else stock
    return [make("a", seed=1), make("b", seed=2)]


_shipped = cache(load_params)


def task_of(loss: str = "qlike", **changes: dict[str, Any]) -> ForecastingTask:
    """A task with all sizes small; `changes` override settings in its blocks."""
    content = _shipped().task_of("volatility", ForecastingTask).model_dump()
    blocks: dict[str, dict[str, Any]] = {
        "prepare": {"valid_from": VALID, "test_from": TEST, "window": 8, "averages": [1, 5]} | PREPARE[loss],
        "model": {"loss": loss, "levels": list(LEVELS) if loss == "quantile" else [], "members": 2} | NETWORK,
        "train": {"epochs": 2, "batch_units": 512},
        "evaluate": {"refit_every": 20, "refit_on": 150, "block": 10},
    }
    for block, values in blocks.items():
        content[block] |= values | changes.get(block, {})
    return ForecastingTask.model_validate(content | {"examples": ["a", "b"]})


def prepared_in(folder: Path, task: ForecastingTask, series: Sequence[Series]) -> Path:
    """Write the output of the prepare stage to the folder, and return it."""
    prepare_series(task, series, folder)
    return folder


def begun(task: ForecastingTask, prepared: Path) -> Forecaster:
    """A forecaster as it is before training."""
    torch.manual_seed(0)
    model = build(task, prepared)
    begin(model, task, prepared, Windows(prepared, "train"))
    return model.eval()


def make_forecasters(root: Path) -> None:
    """For each loss, write prepared data to ROOT/prepared/LOSS and a forecaster's bundle to ROOT/LOSS."""
    for loss in LOSSES:
        task = task_of(loss, model={"attention": "last"} if loss == "event" else {})
        prepared = prepared_in(root / "prepared" / loss, task, series_of(loss))
        model = loosened(begun(task, prepared))
        finish(model, task, Windows(prepared, "valid"))
        export(f"{loss}-forecaster", task, model, prepared, root / loss)


def request_of(bundle: Path, times: int, **parameters: object) -> dict[str, Any]:
    """A request with the last times of a series, for a bundle in a folder named by its loss; 0: as many times as it needs."""
    read, (series, *_) = read_recipe(bundle), series_of(bundle.name)
    count = times or read.needed
    columns: dict[str, Any] = {name: series.columns[name][-count:].tolist() for name in read.columns}
    dates = {"dates": [str(day)[:10] for day in series.times[-count:]]}
    return {"inputs": columns | dates} | ({"parameters": parameters} if parameters else {})
