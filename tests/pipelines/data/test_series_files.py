"""Series from files: errors with line numbers, order, and splits at a time of day."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.data.series.source import SeriesSource
from pipelines.settings.params import load_params
from pipelines.settings.tasks import SeriesPrepare
from pipelines.stage import StageError


def source(file: str = "a.csv", **keys: Any) -> SeriesSource:
    content = {"format": "series", "file": file, "time": "t", "columns": {"x": "x"}, "name": "a"} | keys
    return SeriesSource.model_validate(content)


def test_an_error_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('t,x,note\n2021-01-01,1,"two\nlines"\n\n2021-01-02,,none\n')
    with pytest.raises(StageError, match=r"a\.csv, line 5: '' in the column 'x' is not a finite number"):
        source().read(tmp_path)
    (tmp_path / "a.jsonl").write_text('{"t": "2021-01-01", "x": 1}\n\n{"t": "2021-01-02"}\n')
    with pytest.raises(StageError, match=r"a\.jsonl, line 3: there is no column 'x'"):
        source("a.jsonl", table="jsonl").read(tmp_path)


def test_unsorted_records_are_an_error_unless_the_entry_allows_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,x\n2021-01-02,2\n2021-01-01,1\n")
    with pytest.raises(StageError, match="comes after"):
        source().read(tmp_path)
    (series,) = source(unsorted=True).read(tmp_path)
    assert series.columns["x"].tolist() == [1, 2]
    (tmp_path / "a.csv").write_text("t,x\n2021-01-02,2\n2021-01-01,1\n2021-01-02,3\n")
    with pytest.raises(StageError, match="occurs twice"):
        source(unsorted=True).read(tmp_path)


def test_splits_begin_at_dates_or_times() -> None:
    found = SeriesPrepare.model_validate({"valid_from": "2021-01-01", "test_from": "2021-01-01T06:00+02:00"})
    assert (found.valid_from, found.test_from) == (datetime(2021, 1, 1), datetime(2021, 1, 1, 4))  # in UTC
    with pytest.raises(ValueError, match=r"write a date as 2018-12-31, or with a time of day as 2018-12-31T06:00"):
        SeriesPrepare.model_validate({"valid_from": "2021", "test_from": "2022-01-01"})
    with pytest.raises(ValueError, match="test_from must be later than valid_from"):
        SeriesPrepare.model_validate({"valid_from": "2021-01-01", "test_from": "2021-01-01"})
    assert load_params().task("volatility").prepare.model_dump()["valid_from"] == datetime(2011, 1, 1)
