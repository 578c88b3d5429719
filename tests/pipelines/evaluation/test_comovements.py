"""Vectors of stocks are evaluated on held-out days, and the ranking that fits these days best has the highest rho."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markets import FIRST, NAMES, SECTORS, market
from numpy.typing import NDArray
from scipy.stats import spearmanr

from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.data.series.market import Market
from pipelines.evaluation.comovements import evaluate_comovements
from pipelines.evaluation.findings import Report
from pipelines.evaluation.similarities import (
    agreement,
    component_cosines,
    correlations,
    cosines,
    pairs,
    resampled,
    same_group,
    same_group_chance,
    shrunk_correlations,
)
from pipelines.settings.vectors import ComovementQuestions
from pipelines.stage import StageError
from serving.bundle import Bundle
from serving.predictors.vectors import WordSpaces

DAYS = 600
UNTIL, END = FIRST + timedelta(days=400), FIRST + timedelta(days=550)
Matrix = NDArray[np.float64]


def settings(**changed: Any) -> ComovementQuestions:
    content = {
        "questions": "comovements",
        "set": "prices",
        "corpus": "comovers",
        "until": UNTIL,
        "future_until": END,
        "components": 2,
        "block": 20,
        "resamples": 50,
        "configurations_tried": 3,
        "groups": SECTORS,
    }
    return ComovementQuestions.model_validate(content | changed)


def served(folder: Path, matrix: Matrix, names: Sequence[str] = NAMES) -> WordSpaces:
    """Vectors of the stocks, as a bundle."""
    WordVectors(WordVocabulary(names, np.ones(len(names))), matrix.astype(np.float32), {}).save(folder / "made")
    Bundle.write(folder, task="tickers", kind="vectors", methods=("made",), max_length=10)
    return WordSpaces.load(folder)


def vectors_of(similar: Matrix) -> Matrix:
    """Vectors whose cosines are these correlations."""
    values, vectors = np.linalg.eigh(similar)
    scaled: Matrix = vectors * np.sqrt(values.clip(min=0))
    return scaled


def future(shown: Market) -> Matrix:
    days = (shown.days >= np.datetime64(UNTIL)) & (shown.days < np.datetime64(END))
    matrix: Matrix = np.asarray(np.corrcoef(shown.adjusted().returns[days], rowvar=False))
    return matrix


@pytest.fixture
def foreseeing(tmp_path: Path) -> Report:
    """Report on vectors whose cosines are the future correlations."""
    return evaluate_comovements(served(tmp_path, vectors_of(future(market(DAYS)))), market(DAYS), settings(), seed=1)


def test_vectors_of_future_correlations_rank_the_pairs_perfectly(foreseeing: Report) -> None:
    found = foreseeing.metrics
    assert found["ticker_rho"] == pytest.approx(1, abs=1e-6)
    assert (found["past_days"], found["future_days"]) == (400, 150)
    for name in ("correlation", "shrunk", "pca"):
        assert float(found[f"{name}_rho"]) < 1
        gain = float(found[f"ticker_rho_minus_{name}"])
        assert gain == pytest.approx(1 - float(found[f"{name}_rho"]), abs=1e-6)
        assert float(found[f"ticker_rho_minus_{name}_low"]) < float(found[f"ticker_rho_minus_{name}_high"])
    assert found["same_sector"] == found["same_sector_correlation"] == 1
    assert found["same_sector_chance"] == pytest.approx(0.4)
    assert found["configurations_tried"] == 3


def test_vectors_of_past_correlations_equal_that_baseline_and_random_vectors_are_worse(tmp_path: Path) -> None:
    random = np.random.default_rng(3).normal(size=(len(NAMES), 4))
    past = vectors_of(correlations(market(DAYS).before(UNTIL).adjusted().returns))
    same = evaluate_comovements(served(tmp_path / "past", past), market(DAYS), settings(), seed=1).metrics
    assert same["ticker_rho_minus_correlation"] == pytest.approx(0, abs=1e-6)
    lost = evaluate_comovements(served(tmp_path / "random", random), market(DAYS), settings(), seed=1).metrics
    assert float(lost["ticker_rho_minus_correlation_high"]) < 0


def test_days_outside_of_the_two_periods_change_nothing(tmp_path: Path, foreseeing: Report) -> None:
    shown = market(DAYS)
    later = (shown.days >= np.datetime64(END))[:, None]
    other = replace(shown, returns=np.where(later, np.random.default_rng(5).normal(size=shown.returns.shape), shown.returns))
    spaces = served(tmp_path / "again", vectors_of(future(shown)))
    assert evaluate_comovements(spaces, other, settings(), seed=1).metrics == foreseeing.metrics


def test_similarities_do_not_depend_on_future_days(tmp_path: Path, foreseeing: Report) -> None:
    shown = market(DAYS)
    later = (shown.days >= np.datetime64(UNTIL))[:, None]
    other = replace(shown, returns=np.where(later, np.random.default_rng(5).normal(size=shown.returns.shape), shown.returns))
    spaces = served(tmp_path / "again", vectors_of(future(shown)))
    report = evaluate_comovements(spaces, other, settings(), seed=1)
    for row, before in zip(report.tables["pairs.csv"], foreseeing.tables["pairs.csv"], strict=True):
        assert {**row, "future": 0} == {**before, "future": 0}
        assert row["future"] != before["future"]


def test_tables_and_map_show_every_stock(foreseeing: Report, tmp_path: Path) -> None:
    assert [row["stock"] for row in foreseeing.tables["neighbours.csv"]] == [*NAMES]
    for row in foreseeing.tables["neighbours.csv"]:
        assert row["ticker"] in set(SECTORS[str(row["sector"])]) - {row["stock"]}
    assert len(foreseeing.tables["pairs.csv"]) == 15
    foreseeing.write_plots(tmp_path / "plots")
    assert (tmp_path / "plots/map.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("changed", "names", "message"),
    [
        ({"groups": {"Oil": ["CVX", "XOM", "RRC"], "Soap": ["CL", "KMB"]}}, NAMES, "groups: PG: the groups must hold exactly"),
        ({"groups": {**SECTORS, "Cars": ["GM"]}}, NAMES, "groups: GM: the groups must hold exactly"),
        ({}, NAMES[1:], "there is no vector for 'cl'; the corpus has too few days"),
        ({"components": 7}, NAMES, "components: 7 is more than the number of stocks, 6"),
        ({"until": FIRST + timedelta(days=20)}, NAMES, "until: 20 days before it are too few"),
        ({"future_until": UNTIL + timedelta(days=9)}, NAMES, "future_until: 9 days from until to it are too few"),
    ],
)
def test_invalid_input_is_reported(tmp_path: Path, changed: dict[str, Any], names: Sequence[str], message: str) -> None:
    spaces = served(tmp_path, np.eye(len(names)), names)
    with pytest.raises(StageError, match=message):
        evaluate_comovements(spaces, market(DAYS), settings(**changed), seed=1)


def test_contradictory_settings_are_reported() -> None:
    with pytest.raises(ValueError, match=f"future_until must be later than until, which is {UNTIL}"):
        settings(future_until=UNTIL)
    with pytest.raises(ValueError, match="groups: CVX is in more than one group"):
        settings(groups={**SECTORS, "Energy": ["CVX"]})


def test_chance_is_the_mean_over_all_ways_to_choose_neighbours() -> None:
    groups = {"a": ["1", "2", "3"], "b": ["4", "5"], "c": ["6"]}
    of = {name: group for group, members in groups.items() for name in members}
    same = [of[one] == of[other] for one, other in permutations(of, 2)]
    assert same_group_chance(groups) == np.mean(same)


def test_the_nearest_neighbour_is_never_the_item_itself() -> None:
    similar = np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])
    assert same_group(similar, ["a", "a", "b"]) == pytest.approx(2 / 3)


def test_agreement_is_spearmans_rho_including_ties() -> None:
    numbers = np.random.default_rng(0)
    one, others = numbers.integers(0, 9, 40).astype(float), numbers.integers(0, 9, (5, 40)).astype(float)
    np.testing.assert_allclose(agreement(one, others), [spearmanr(one, other).statistic for other in others])


def test_all_components_are_the_correlations_and_shrinking_leaves_the_signs() -> None:
    returns = market(DAYS).adjusted().returns
    np.testing.assert_allclose(component_cosines(returns, len(NAMES)), correlations(returns), atol=1e-9)
    assert not np.allclose(component_cosines(returns, 1), correlations(returns), atol=0.05)
    few, whole = shrunk_correlations(returns[:30]), correlations(returns[:30])
    np.testing.assert_allclose(np.diag(few), 1)
    assert (abs(pairs(few)) < abs(pairs(whole))).all()


def test_cosines_of_a_zero_vector_are_zero() -> None:
    np.testing.assert_allclose(cosines(np.array([[3, 4], [0, 0], [6, 8]], np.float32)), [[1, 0, 1], [0, 0, 0], [1, 0, 1]])


def test_days_are_drawn_in_blocks() -> None:
    returns = market(100).returns
    whole = resampled(returns, 100, 3, seed=0)  # one block of all days can only start on the first
    np.testing.assert_allclose(whole, np.tile(pairs(correlations(returns)), (3, 1)))
    assert np.array_equal(resampled(returns, 10, 3, seed=0), resampled(returns, 10, 3, seed=0))
    lasting = np.repeat(returns[::10], 10, axis=0)  # each day ten times: blocks preserve this dependence
    spread = [resampled(lasting, block, 300, seed=0).std(axis=0).mean() for block in (1, 10)]
    assert spread[1] > 2 * spread[0]
