"""`seqline new` for series: findings, one-line errors, and removal."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_data import write_demand
from typer.testing import CliRunner

from pipelines.data.catalogue import load_catalogue
from pipelines.data.fetch import Backoff
from pipelines.data.series.source import read_series
from pipelines.kinds.forecasting.settings import ForecastingTask
from pipelines.paths import CATALOGUE, METRICS, PARAMS, RAW
from pipelines.settings.params import load_params
from pipelines.stages.download import download
from pipelines.stages.prepare import main as prepare_stage
from pipelines.verbs import app

ROOT = Path(__file__).parents[2]
FORECASTING = ("--kind", "forecasting", "--yes")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files that are edited."""
    (tmp_path / "data").mkdir()
    for path in (PARAMS, CATALOGUE):
        shutil.copyfile(ROOT / path, tmp_path / path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    """The output of a successful command."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    """The one-line error of a command, which changes no file."""
    before = {path: path.read_bytes() for path in (PARAMS, CATALOGUE)}
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 1, result.output
    assert {path: path.read_bytes() for path in (PARAMS, CATALOGUE)} == before
    (line,) = result.output.strip().splitlines()
    return line


def proposed(name: str = "demand") -> ForecastingTask:
    return load_params().task_of(name, ForecastingTask)


def daily(count: int = 300, begin: str = "2021-01-01", season: int = 7) -> list[tuple[str, float]]:
    """Daily values with a weekly season and some noise."""
    numbers = np.random.default_rng(1)
    days = np.datetime64(begin) + np.arange(count)
    values = 20 + 5 * np.sin(2 * np.pi * np.arange(count) / season) + numbers.normal(size=count)
    return [(str(day), round(float(value), 3)) for day, value in zip(days, values, strict=True)]


def write(path: Path, rows: Sequence[tuple[str, object]], header: str = "date,sales") -> str:
    path.write_text("\n".join([header, *(f"{day},{value}" for day, value in rows)]) + "\n", encoding="utf-8")
    return str(path)


def test_an_hourly_series_becomes_a_forecaster_and_is_removed_again(repository: Path) -> None:
    before = {path: path.read_text() for path in (PARAMS, CATALOGUE)}
    write_demand(repository)
    columns = ("--time", "when", "--target", "load", "--inputs", "temperature")
    said = run("new", "demand", "--data", "demand.csv", *columns, *FORECASTING)
    assert "1,200 times, one hour apart, 2022-01-01 to 2022-02-19T23:00:00" in said
    assert "season: 24 hours" in said
    assert "forecasts: 1, 6, 24 hours ahead" in said
    assert "seqline ask demand --json .serving/examples/demand.json" in said
    prepare = proposed().prepare
    assert (prepare.season, prepare.horizons, prepare.quantity) == (24, [1, 6, 24], "value")
    assert (prepare.target, prepare.inputs) == ("load", ["temperature"])
    assert proposed().model.levels[::4] == [0.1, 0.5, 0.9]
    run("remove", "demand")
    assert {path: path.read_text() for path in (PARAMS, CATALOGUE)} == before


def test_time_and_target_imply_the_kind(repository: Path) -> None:
    path = write(repository / "shop.csv", daily())
    run("new", "shop", "--data", path, "--time", "date", "--target", "sales", "--yes")
    assert proposed("shop").prepare.season == 7


def test_columns_with_common_names_are_detected(repository: Path) -> None:
    write(repository / "shop.csv", daily())
    run("new", "shop", "--data", "shop.csv", *FORECASTING)
    (source,) = load_catalogue(CATALOGUE)["shop"].rows
    assert (source["time"], source["columns"]) == ("date", {"sales": "sales"})


def lines_of_json(folder: Path) -> str:
    (folder / "shop.jsonl").write_text("".join(json.dumps({"date": day, "sales": value}) + "\n" for day, value in daily()))
    return "shop.jsonl"


def parquet(folder: Path) -> str:
    days = [np.datetime64(day, "us").item() for day, _ in daily()]
    pq.write_table(pa.table({"date": days, "sales": [value for _, value in daily()]}), folder / "shop.parquet")
    return "shop.parquet"


def tabs(folder: Path) -> str:
    write(folder / "shop.tsv", daily())
    (folder / "shop.tsv").write_text((folder / "shop.tsv").read_text().replace(",", "\t"))
    return "shop.tsv"


def backwards(folder: Path) -> str:
    return write(folder / "shop.csv", daily()[::-1])


def american(folder: Path) -> str:
    """Dates with the month first, which are ambiguous except for the regular step."""
    rows = [(f"{int(day[5:7])}/{int(day[8:])}/{day[:4]}", value) for day, value in daily()]
    return write(folder / "shop.csv", rows)


@pytest.mark.parametrize("prepare", [lines_of_json, parquet, tabs, backwards, american])
def test_files_of_any_format_and_order_are_read_as_the_same_series(repository: Path, prepare: Callable[[Path], str]) -> None:
    run("new", "shop", "--data", prepare(repository), *FORECASTING)
    download("shop", Backoff(attempts=1))
    (series,) = read_series(load_catalogue(CATALOGUE)["shop"], "shop", RAW / "shop")
    assert [str(time)[:10] for time in series.times] == [day for day, _ in daily()]
    assert series.columns["sales"].tolist() == [value for _, value in daily()]
    prepare_stage("shop")
    assert json.loads((METRICS / "data/shop.json").read_text())["test_rows"] > 20


def test_several_series_are_named_by_a_column_or_by_their_files(repository: Path) -> None:
    rows = [(f"{day},{shop}", value) for shop in ("north", "south") for day, value in daily()]
    write(repository / "shops.csv", rows, "date,shop,sales")
    said = run("new", "shops", "--data", "shops.csv", "--group", "shop", "--target", "sales", *FORECASTING)
    assert "north: 300 times" in said
    assert proposed("shops").examples == ["north", "south"]
    for name in ("east", "west"):
        write(repository / f"{name}.csv", daily())
    run("new", "more", "--data", "east.csv", "--data", "west.csv", *FORECASTING)
    assert proposed("more").examples == ["east", "west"]


def test_a_monthly_series_has_a_yearly_season_and_uses_logarithms_if_its_swings_grow(repository: Path) -> None:
    months = np.datetime64("2005-01") + np.arange(144)
    course = 0.01 * np.arange(144) + 0.2 * np.sin(2 * np.pi * np.arange(144) / 12)
    values = 100 * np.exp(course + 0.03 * np.random.default_rng(0).normal(size=144))
    rows = [(f"{month},{i % 12}", round(float(values[i]), 2)) for i, month in enumerate(months)]
    write(repository / "air.csv", rows, "month,of year,y")
    run("new", "air", "--data", "air.csv", "--target", "y", "--inputs", "of year", *FORECASTING)
    prepare = proposed("air").prepare
    assert (prepare.season, prepare.horizons, prepare.quantity) == (12, [1, 3], "positive_value")


def test_a_column_with_a_reserved_name_is_renamed(repository: Path) -> None:
    rows = [(f"{day},{value}", value + 1) for day, value in daily()]
    write(repository / "odd.csv", rows, "date,dates,target")
    run("new", "odd", "--data", "odd.csv", "--target", "dates", "--inputs", "target", *FORECASTING)
    prepare = proposed("odd").prepare
    assert (prepare.target, prepare.inputs) == ("dates_1", ["target_1"])


def changed(place: int, line: str | None) -> Callable[[Path], list[str]]:
    """Arguments for a file with one line replaced or left out."""

    def prepare(folder: Path) -> list[str]:
        path = Path(write(folder / "shop.csv", daily()))
        lines = path.read_text().splitlines()
        lines[place - 1 : place] = [] if line is None else [line]
        path.write_text("\n".join(lines) + "\n")
        return ["--data", "shop.csv"]

    return prepare


def with_arguments(*arguments: str) -> Callable[[Path], list[str]]:
    """Additional arguments for an unchanged file."""
    return lambda folder: ["--data", write(folder / "shop.csv", daily()), *arguments]


def with_rows(rows: Sequence[tuple[str, object]], header: str = "date,sales") -> Callable[[Path], list[str]]:
    return lambda folder: ["--data", write(folder / "shop.csv", rows, header)]


HOURS = [(str(np.datetime64("2021-03-28T00", "s") + np.timedelta64(i, "h")), i % 24 + i % 5) for i in range(200)]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (with_arguments("--target", "sale"), "shop.csv has no column 'sale' for --target; did you mean 'sales'?"),
        (with_arguments("--time", "dat"), "shop.csv has no column 'dat' for --time; did you mean 'date'?"),
        (with_arguments("--inputs", "sles"), "shop.csv has no column 'sles' for --inputs; did you mean 'sales'?"),
        (with_arguments("--target", "sales", "--inputs", "sales"), "--inputs must be distinct columns other than the target"),
        (with_arguments("--label", "sales"), "--label is not for forecasting"),
        (with_arguments("--units", "words"), "the kind forecasting does not support the units 'words'"),
        (with_rows([(day, i) for i, (day, _) in enumerate(daily())], "when,sales"), "cannot tell which column is the time"),
        (with_rows([(day, "much") for day, _ in daily()]), "the column 'sales' is not numeric, as 'much'"),
        (changed(6, "2021-01-05,"), "line 6: '' in the column 'sales' is not a finite number; fill the gap"),
        (changed(6, '2021-01-05,"1,5"'), "line 6: '1,5' in the column 'sales' has a decimal comma; write 1.5"),
        (changed(6, "soon,3"), "line 6: 'soon' does not have the format of the times before it, ISO 8601"),
        (changed(2, "1609459200,3"), "line 2: '1609459200' is a Unix timestamp; write times as 2018-12-31T23:00"),
        (changed(6, "2021-01-04,3"), "2021-01-04 occurs twice, in line 5 and line 6; keep one record for each time"),
        (changed(6, None), "times are one day apart, and 1 of 300 are missing, the first between 2021-01-04 and 2021-01-06"),
        (changed(6, "2021-01-05T07:00,3"), "the times are not regular: most are one day apart, but 2021-01-04 and"),
        (with_rows(HOURS[:2] + HOURS[3:]), "Local time has such a gap or overlap when clocks change; write times in UTC"),
        (with_rows(daily(99)), "the series 'shop' has 99 times; a forecaster needs 100 or more"),
        (with_rows([(day, 3) for day, _ in daily()]), "sales is 3 at all times: there is nothing to forecast"),
        (with_rows([]), "shop.csv has no records"),
        (lambda _: ["--data", "index-prices"], "index-prices is a data set of the catalogue; for series, name a file"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(repository: Path, prepare: Callable[[Path], list[str]], message: str) -> None:
    line = refused("new", "shop", *prepare(repository), *FORECASTING)
    assert message in line
    assert "/seqline-" not in line  # a folder that no longer exists


def test_a_file_without_columns_is_refused(repository: Path) -> None:
    (repository / "shop.txt").write_text("1\n2\n")
    assert "shop.txt has no columns; series are read from files whose names end in .csv" in refused(
        "new", "shop", "--data", "shop.txt", *FORECASTING
    )


def test_inputs_are_only_for_series(repository: Path) -> None:
    write(repository / "t.csv", [(f"a text {i}", i % 2) for i in range(100)], "text,label")
    line = refused("new", "texts", "--data", "t.csv", "--inputs", "label", "--kind", "classification", "--yes")
    assert "--inputs is only for series" in line


def test_a_column_with_tomorrows_values_is_refused(repository: Path) -> None:
    rows = [(f"{day},{value}", daily(301)[i + 1][1]) for i, (day, value) in enumerate(daily())]
    write(repository / "shop.csv", rows, "date,sales,order")
    line = refused("new", "shop", "--data", "shop.csv", "--target", "sales", "--inputs", "order", *FORECASTING)
    assert "the column 'order' explains" in line
