"""A model's record of training rows contains all of them, in any spelling that means the same, and no held-out ones."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from data_sets import data_set, json_lines
from forecasters import FIRST, TEST, VALID, demand, prepared_in, stock, task_of
from numpy.typing import NDArray
from orders import market, small

from models.text.normalize import normalize
from pipelines.data.preparing import prepare
from pipelines.data.splitting import table
from pipelines.lineage.rows import contains, row_digests
from pipelines.settings.params import Params
from pipelines.settings.tasks import TextTask
from pipelines.stages.prepare import prepare_series


def texts(folder: Path, *splits: str) -> list[tuple[str, str]]:
    """The rows of some splits: input and answer."""
    tables = [pq.read_table(folder / f"{split}.parquet").to_pydict().values() for split in splits]
    return [row for columns in tables for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("task", ["surname", "names", "sentiment"])
def test_training_rows_are_contained_and_held_out_ones_are_not(
    task: str, prepared: Mapping[str, Path], small_params: Params
) -> None:
    digests = row_digests(prepared[task], small_params.task(task))
    assert digests.dtype == np.uint64
    assert (np.diff(digests.astype(object)) > 0).all()
    trained, held_out = texts(prepared[task], "train"), texts(prepared[task], "valid", "test")
    assert all(contains(digests, text) and contains(digests, text, answer) for text, answer in trained)
    assert not any(contains(digests, text) for text, _ in held_out)
    assert trained
    assert held_out


def test_a_row_is_found_in_other_spellings_and_narrowed_by_its_answer(prepared: Mapping[str, Path], small_params: Params) -> None:
    digests = row_digests(prepared["surname"], small_params.task("surname"))
    text, label = texts(prepared["surname"], "train")[0]
    for spelling in (text.upper(), f"  {text.title()}\n", text.replace("'", "\u2019")):
        assert contains(digests, spelling, label.lower())
    assert not contains(digests, text, "Klingon")
    assert not contains(digests, label)
    assert not contains(np.zeros(0, np.uint64), text)


def pairs() -> list[dict[str, str]]:
    """Sentences with their translations, in groups that have one of each."""
    sides = {"un chien court": "a dog runs", "un homme lit": "a man is reading", "le chat dort": "the cat sleeps"}
    return [{"source": f"{s} {n}", "target": f"{t} {n}", "group": n} for n in "abcdefghij" for s, t in sides.items()]


@pytest.mark.parametrize(("joined", "batch"), [(0.0, 10), (0.5, 10), (0.5, 7), (0.9, 10_000)])
def test_pairs_that_were_joined_for_training_are_found_alone(
    joined: float, batch: int, small_params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "BATCH", batch)
    task = small_params.task_of("fr-en", TextTask)
    task = type(task).model_validate(task.model_dump() | {"prepare": task.prepare.model_dump() | {"joined": joined}})
    rows = pairs()
    prepare(task, data_set(json_lines(tmp_path / "raw", rows)), tmp_path / "raw", tmp_path / "fr-en", 1)
    digests = row_digests(tmp_path / "fr-en", task)
    held_out = {text for text, _ in texts(tmp_path / "fr-en", "valid", "test")}
    trained = [row["source"] for row in rows if normalize(row["source"]) not in held_out]
    whole = {text for text, _ in texts(tmp_path / "fr-en", "train")}
    assert [text for text in trained if not contains(digests, text)] == []
    assert [text for text in held_out if contains(digests, text)] == []
    assert all(contains(digests, text) for text in whole)
    assert (len(whole) < len(trained)) == (joined > 0)


def shown(days: NDArray[np.datetime64]) -> list[str]:
    return [str(day.astype("datetime64[D]")) for day in days]


def test_the_rows_of_series_are_the_times_of_training_windows_and_their_targets(tmp_path: Path) -> None:
    task, series = task_of(), [stock("a", seed=1), stock("b", days=300, seed=2)]
    digests = row_digests(prepared_in(tmp_path, task, series), task)
    days = shown(series[0].times)
    trained = [day for day in days if contains(digests, day, "a")]
    assert trained == [day for day in days if trained[0] <= day <= trained[-1]]
    assert FIRST < trained[0] < "2001-02-01"
    assert "2001-08-15" < trained[-1] < VALID < TEST
    assert contains(digests, trained[0])
    assert not contains(digests, trained[0], "c")


def test_times_within_a_day_are_part_of_the_row(tmp_path: Path) -> None:
    task, series = task_of("quantile"), demand("a")
    hourly = series.__class__("a", series.times + np.timedelta64(3600 * 6, "s"), series.columns)
    digests = row_digests(prepared_in(tmp_path, task, [hourly, demand("b")]), task)
    assert contains(digests, "2001-05-01 06:00:00", "a")
    assert not contains(digests, "2001-05-01", "a")
    assert contains(digests, "2001-05-01", "b")


def test_the_rows_of_orders_are_the_days_of_their_windows_and_horizons(small_params: Params, tmp_path: Path) -> None:
    task, one = small(small_params), market(500)
    prepare_series(task, [one], tmp_path)
    digests = row_digests(tmp_path, task)
    days = shown(one.times)
    trained = [day for day in days if contains(digests, day, "made")]
    ends, horizons = (np.load(tmp_path / "train" / f"{name}.npy") for name in ("end", "horizon"))
    assert trained[0] == days[ends.min() - task.prepare.window + 1]
    assert trained[-1] == days[(ends + horizons).max()] < "2011-06-01"
