"""Series from files: errors name the line, and valid values are read exactly."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from pydantic import ValidationError

from pipelines.data.catalogue import DataSet
from pipelines.data.series.source import Series, SeriesSource, read_series
from pipelines.stage import StageError

ONE = {"time": "day", "columns": {"close": "Close"}, "name": "it"}
LINES = ["day,Close", "2018-12-28,1.5", "2018-12-31,2.5", "2019-01-02,3.5"]


def read(folder: Path, lines: list[str], **keys: Any) -> list[Series]:
    (folder / "file.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return SeriesSource.model_validate({"format": "series", "file": "file.csv", **keys}).read(folder)


def test_a_file_of_one_series_is_read_by_our_names(tmp_path: Path) -> None:
    (series,) = read(tmp_path, LINES, **ONE)
    assert (series.name, len(series), list(series.columns)) == ("it", 3, ["close"])
    assert series.times.tolist() == [datetime(2018, 12, 28), datetime(2018, 12, 31), datetime(2019, 1, 2)]
    assert series.columns["close"].tolist() == [1.5, 2.5, 3.5]


def test_a_column_for_each_series_and_a_row_for_each_series_give_the_same(tmp_path: Path) -> None:
    wide = read(tmp_path, ["day,b,a", "2018-12-28,1,10", "2018-12-31,2,20"], time="day", each="close")
    rows = ["day,who,Close", "2018-12-28,a,10", "2018-12-28,b,1", "2018-12-31,b,2", "2018-12-31,a,20"]
    long = read(tmp_path, rows, time="day", columns={"close": "Close"}, group="who")
    for one, other in zip(wide, long, strict=True):
        assert one.name == other.name
        assert one.times.tolist() == other.times.tolist()
        assert one.columns["close"].tolist() == other.columns["close"].tolist()
    assert [series.name for series in wide] == ["a", "b"]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(-1e300, 1e300)), min_size=1, max_size=20))
def test_values_round_trip_to_the_last_digit(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, float]]) -> None:
    folder, now, lines = tmp_path_factory.mktemp("series"), datetime(1999, 1, 4), ["day,Close"]
    for step, value in steps:
        now += timedelta(seconds=step)
        lines.append(f"{now.isoformat()},{value!r}")
    (series,) = read(folder, lines, **ONE)
    assert series.columns["close"].tolist() == [value for _, value in steps]
    assert series.times[-1] == np.datetime64(now)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["dya,Close", "2018-12-31,1"], r"file\.csv has no column 'day'; did you mean 'dya'\? \(valid: dya, Close\)$"),
        (["day,close", "2018-12-31,1"], r"file\.csv has no column 'Close'; did you mean 'close'\?"),
        ([*LINES[:2], "2018-12-31,"], r"line 3: '' in the column 'Close' is not a finite number; fill the gap, or leave"),
        ([*LINES[:2], "2018-12-31,n/a"], "line 3: 'n/a' in the column 'Close' is not a finite number"),
        ([*LINES[:2], "2018-12-31,nan"], "line 3: 'nan' in the column 'Close' is not a finite number"),
        ([*LINES[:2], "2018-12-31,1e999"], "line 3: '1e999' in the column 'Close' is not a finite number"),
        ([*LINES[:2], "31.12.2018,1"], "line 3: '31.12.2018' is not a date; write dates as 2018-12-31 or 2018-12-31T23:00$"),
        ([*LINES[:2], ",1"], "line 3: '' is not a date"),
        ([*LINES[:2], "2018-13-01,1"], "line 3: '2018-13-01' is not a date"),
        ([*LINES, LINES[-1]], r"in the series 'it', 2019-01-02 00:00:00 occurs twice; sort the file by time, one record each$"),
        ([*LINES, "2018-12-30,1"], "in the series 'it', 2018-12-30 00:00:00 comes after 2019-01-02 00:00:00; sort the file"),
        ([*LINES, "2019-01-03"], "the record has 1 fields, not 2"),
        (LINES[:1], r"file\.csv has no record$"),
    ],
)
def test_invalid_records_are_refused_naming_the_line(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(StageError, match=said) as raised:
        read(tmp_path, lines, **ONE)
    assert "\n" not in str(raised.value)


def test_a_missing_group_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="has no column 'who'"):
        read(tmp_path, LINES, time="day", columns={"close": "Close"}, group="who")


def test_a_record_that_lacks_a_column_is_an_error(tmp_path: Path) -> None:
    records = [{"day": "2018-12-31", "Close": 1.0}, {"day": "2019-01-02"}, {"Close": 2.0}]
    for kept, column in ((records[:2], "Close"), (records[::2], "day")):
        (tmp_path / "file.jsonl").write_text("\n".join(map(json.dumps, kept)), encoding="utf-8")
        keys = {"format": "series", "file": "file.jsonl", "table": "jsonl", **ONE}
        with pytest.raises(StageError, match=rf"line 2: there is no column '{column}'"):
            SeriesSource.model_validate(keys).read(tmp_path)


def test_dates_are_read_in_the_given_format(tmp_path: Path) -> None:
    (series,) = read(tmp_path, ["day,Close", "12/31/2018,1", "01/02/2019,2"], dates="%m/%d/%Y", **ONE)
    assert series.times[0] == np.datetime64("2018-12-31")
    with pytest.raises(StageError, match="'2018-12-31' is not a date; the format is %m/%d/%Y"):
        read(tmp_path, LINES[:1] + LINES[2:], dates="%m/%d/%Y", **ONE)


def test_time_zones_are_converted_to_utc(tmp_path: Path) -> None:
    lines = ["day,Close", "2018-12-31T23:00+00:00,1", "2019-01-01T00:30+01:00,2", "2019-01-01T00:00Z,3"]
    (series,) = read(tmp_path, lines, **ONE)
    assert series.times.tolist() == [datetime(2018, 12, 31, 23), datetime(2018, 12, 31, 23, 30), datetime(2019, 1, 1)]


@pytest.mark.parametrize("zone", [None, UTC])
def test_parquet_timestamps_are_read(tmp_path: Path, zone: Any) -> None:
    times = [datetime(2018, 12, 31, 22, tzinfo=zone), datetime(2018, 12, 31, 23, tzinfo=zone)]
    parquet.write_table(pa.table({"day": times, "Close": [1.5, 2.5]}), tmp_path / "file.parquet")
    keys = {"format": "series", "file": "file.parquet", "table": "parquet", **ONE}
    (series,) = SeriesSource.model_validate(keys).read(tmp_path)
    assert series.times.tolist() == [datetime(2018, 12, 31, 22), datetime(2018, 12, 31, 23)]
    assert series.columns["close"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"time": "day", "name": "it"}, "either `columns` or `each` says what the columns are"),
        ({**ONE, "each": "close"}, "either `columns` or `each`"),
        ({"time": "day", "columns": {"close": "Close"}}, "either `group` or `name` says which series"),
        ({**ONE, "group": "who"}, "either `group` or `name`"),
        ({**ONE, "delimiter": ""}, "at least 1 character"),
        ({**ONE, "zone": "UTC"}, "Extra inputs"),
    ],
)
def test_incomplete_sources_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SeriesSource.model_validate({"format": "series", "file": "file.csv", **keys})


def data_set(rows: list[dict[str, Any]]) -> DataSet:
    file = {"name": "file.csv", "size": 1, "sha256": "0" * 64, "sources": [{"kind": "local", "path": "file.csv"}]}
    said = {"title": "prices", "licence": "none", "citation": "none", "redistributable": False, "files": [file]}
    return DataSet.model_validate({**said, "rows": rows})


def test_duplicate_series_and_invalid_rows_are_refused(tmp_path: Path) -> None:
    read(tmp_path, LINES, **ONE)
    rows = [{"format": "series", "file": "file.csv", **ONE}]
    assert [series.name for series in read_series(data_set(rows), "prices", tmp_path)] == ["it"]
    with pytest.raises(StageError, match="prices: there are two series with the name 'it'"):
        read_series(data_set(rows * 2), "prices", tmp_path)
    with pytest.raises(StageError, match=r"^prices\.rows has no series: "):
        read_series(data_set([{"format": "csv", "file": "file.csv"}]), "prices", tmp_path)
    with pytest.raises(StageError, match=r"unknown key '0\.tme'; did you mean 'time'"):
        read_series(data_set([{"format": "series", "file": "file.csv", "tme": "day", **ONE}]), "prices", tmp_path)
