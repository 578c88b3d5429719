"""Vectors of stocks have lines in the results, but not in the table of methods evaluated on words."""

import json
import subprocess
from pathlib import Path

import pytest

from pipelines.report import pages
from pipelines.report.measures import measures, section

FIGURES = {
    "ticker_rho": 0.5,
    "correlation_rho": 0.75,
    "ticker_rho_minus_correlation": -0.25,
    "same_sector": 0.8,
    "same_sector_correlation": 0.9,
}


def test_vectors_of_stocks_are_listed_with_their_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "figures", lambda source: FIGURES if source == "tickers" else {})
    found = {label: cells for source, label, *cells in pages.rows(section("results")) if source == "tickers"}
    assert [*found.values()] == [["0.500", "0.750 (past correlations)"], ["-0.250", ""], ["80%", "90% (past correlations)"]]
    assert pages.vectors() is None


def test_methods_evaluated_on_words_have_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "figures", lambda source: {"cbow.analogies": 0.5} if source == "vectors" else FIGURES)
    table = pages.vectors()
    assert table is not None
    assert [line.partition(" | ")[0] for line in table.splitlines()] == ["| method", "| ---", "| cbow"]


def test_results_are_shown_beside_those_of_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    metrics = Path("metrics/tickers.json")
    metrics.parent.mkdir()
    metrics.write_text(json.dumps(FIGURES | {"ticker_rho": 0.25}), encoding="utf-8")
    author = ("-c", "user.name=A tester", "-c", "user.email=tester@example.org")
    for command in (("init", "--quiet"), ("add", "metrics"), (*author, "commit", "--quiet", "--message", "published")):
        subprocess.run(["git", *command], check=True)
    metrics.write_text(json.dumps(FIGURES), encoding="utf-8")
    lines = [line.model_copy(update={"source": "tickers"}) for line in measures().comovements]
    monkeypatch.setattr(pages, "section", lambda _: lines)
    pages.published.cache_clear()
    pages.show()
    pages.published.cache_clear()
    (shown,) = [line for line in capsys.readouterr().out.splitlines() if "0.500" in line]
    assert shown.index("0.500") < shown.index("0.250") < shown.index("0.750 (past correlations)")
