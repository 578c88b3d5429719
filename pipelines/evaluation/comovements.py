"""How well vectors of stocks predict which stocks will move together, compared with baselines that need no vectors."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from models.text.vectors import UnknownWord, WordVectors
from pipelines.data.series.market import Market
from pipelines.evaluation.findings import Report, Table
from pipelines.evaluation.maps import word_map
from pipelines.evaluation.similarities import (
    Values,
    agreement,
    component_cosines,
    correlations,
    cosines,
    nearest,
    pairs,
    resampled,
    same_group,
    same_group_chance,
    shrunk_correlations,
)
from pipelines.settings.vectors import ComovementQuestions
from pipelines.stage import StageError
from serving.predictors.vectors import WordSpaces

TICKER, CORRELATION = "ticker", "correlation"  # the vectors, and the first baseline that they have to beat
OUTSIDE = (2.5, 97.5)  # percentiles that bound the 95 % interval
FEWEST = 3  # stocks: two stocks make a single pair, which cannot be ranked


def evaluate_comovements(spaces: WordSpaces, market: Market, settings: ComovementQuestions, seed: int) -> Report:
    """Compare the cosines of the served vectors with the correlations of a held-out period.

    All similarities use data up to the day before `until`. The correlations are those of the returns less the market's, on the
    days from `until` to the day before `future_until`. The intervals come from resampling these days, see `resampled`: they show
    how much the figures depend on the period, not on the training seed.

    Args:
        spaces: the served vectors.
        market: unadjusted returns.
        settings: see params.yaml.
        seed: seed of the resampling.

    Returns:
        metrics: Spearman's correlation over all pairs, MEASURE_rho; the vectors' rho minus that of each baseline, with an
        interval; the share of nearest neighbours in the same sector. Tables and a map.

    Raises:
        StageError: a stock has no sector or no vector, or there are too few stocks or days.
    """
    sectors = _sectors(market.names, settings.groups)
    vectors = _vectors(spaces, market.names)
    past = market.before(settings.until).adjusted().returns
    future = market.since(settings.until).before(settings.future_until).adjusted().returns
    _check(past, future, settings)
    similar = {TICKER: cosines(np.stack([vectors.vector(name) for name in market.names]))} | _known(past, settings.components)
    actual = correlations(future)
    drawn = resampled(future, settings.block, settings.resamples, seed)
    metrics: dict[str, float | str] = {"past_days": len(past), "future_days": len(future)}
    metrics |= _agreements(similar, pairs(actual), drawn)
    metrics |= {f"same_sector{_suffix(name)}": same_group(matrix, sectors) for name, matrix in similar.items()}
    metrics |= {"same_sector_chance": same_group_chance(settings.groups), "configurations_tried": settings.configurations_tried}
    return Report(
        metrics=metrics,
        tables={
            "neighbours.csv": _neighbours(market.names, sectors, similar),
            "pairs.csv": _pairs(market.names, {**similar, "future": actual}),
        },
        figures={"map.png": word_map(spaces.bundle.task, vectors, settings.groups)},
    )


def _known(past: Values, components: int) -> dict[str, Values]:
    """The baselines: similarities that need no vectors."""
    return {
        CORRELATION: correlations(past),
        "shrunk": shrunk_correlations(past),
        "pca": component_cosines(past, components),
    }


def _agreements(similar: Mapping[str, Values], actual: Values, drawn: Values) -> dict[str, float]:
    """How well each measure ranks the pairs, and the vectors' lead over each baseline with the bounds of its interval.

    Args:
        similar: name -> similarities, [N, N].
        actual: correlations of the pairs, [P].
        drawn: the same for each bootstrap sample, [B, P].
    """
    found = {name: float(agreement(pairs(matrix), actual[None])[0]) for name, matrix in similar.items()}
    spread = {name: agreement(pairs(matrix), drawn) for name, matrix in similar.items()}
    metrics = {f"{name}_rho": rho for name, rho in found.items()}
    for name in (name for name in similar if name != TICKER):
        key, (low, high) = f"{TICKER}_rho_minus_{name}", np.percentile(spread[TICKER] - spread[name], OUTSIDE).tolist()
        metrics |= {key: found[TICKER] - found[name], f"{key}_low": low, f"{key}_high": high}
    return metrics


def _suffix(name: str) -> str:
    return "" if name == TICKER else f"_{name}"


def _sectors(names: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The sector of each stock."""
    sectors = {stock: sector for sector, members in groups.items() for stock in members}
    if without := sorted({*names} ^ {*sectors}):
        raise StageError(f"groups: {', '.join(without)}: the groups must hold exactly the stocks of the data set, each one once")
    return [sectors[name] for name in names]


def _vectors(spaces: WordSpaces, names: Sequence[str]) -> WordVectors:
    try:
        return spaces.answering(names).vectors
    except UnknownWord as error:
        raise StageError(f"{error}; the corpus has too few days, or its sentences have too few stocks") from error


def _check(past: Values, future: Values, settings: ComovementQuestions) -> None:
    stocks = past.shape[1]
    if stocks < FEWEST:
        raise StageError(f"ranking pairs needs at least {FEWEST} stocks; there are {stocks}")
    if settings.components > stocks:
        raise StageError(f"components: {settings.components} is more than the number of stocks, {stocks}; use fewer")
    for key, where, days in (("until", "before it", past), ("future_until", "from until to it", future)):
        if len(days) <= settings.block:
            raise StageError(f"{key}: {len(days)} days {where} are too few; a single block has {settings.block}")


def _neighbours(names: Sequence[str], sectors: Sequence[str], similar: Mapping[str, Values]) -> Table:
    """The nearest neighbour of each stock, by each measure."""
    found = {name: nearest(matrix) for name, matrix in similar.items()}
    return [
        {"stock": stock, "sector": sectors[i], **{measure: names[places[i]] for measure, places in found.items()}}
        for i, stock in enumerate(names)
    ]


def _pairs(names: Sequence[str], similar: Mapping[str, Values]) -> Table:
    """All similarities and the future correlation of each pair."""
    return [
        {"a": names[i], "b": names[j], **{key: float(matrix[i, j]) for key, matrix in similar.items()}}
        for i, j in combinations(range(len(names)), 2)
    ]
