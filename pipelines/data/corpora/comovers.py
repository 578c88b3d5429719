"""Trading days as sentences: the words are the stocks that moved together."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipelines.data.corpora.words import prepare_words
from pipelines.data.series.market import Market
from pipelines.settings.corpora import ComoversPrepare, WordsPrepare
from pipelines.stage import StageError

EVERY_WORD = WordsPrepare(min_count=1, limit=0)
FEWEST = 2  # stocks per sentence; nothing can be learned from fewer


def comovers(market: Market, threshold: float) -> Iterator[list[str]]:
    """Two sentences a day, the stocks that moved up and those that moved down, largest move first.

    Sentences of fewer than two stocks are left out. The number of stocks is not fixed: stocks would compete for places, and
    those with the same move would share fewer sentences.

    Each sentence contains its stocks twice. A word's vector is learned from its neighbours, and a stock that occurs once in each
    sentence would never be its own neighbour: the contexts of A would contain B but never A, and those of B the reverse. In a
    vocabulary as small as a market, stocks that move together would then get the least similar vectors.

    Args:
        market: market-adjusted returns, scaled by each stock's volatility, see `Market.adjusted` and `Market.scaled`.
        threshold: a stock moved up if its return is above this, down if it is below its negative.
    """
    for day in market.returns:
        for moves in (day, -day):
            moved = [market.names[i] for i in np.argsort(-moves, kind="stable") if moves[i] > threshold]
            if len(moved) >= FEWEST:
                yield moved * 2


def prepare_comovers(market: Market, params: ComoversPrepare, folder: Path) -> dict[str, float]:
    """Write the sentences of the days before `until`, as `prepare_words` does. Later days are not used.

    Args:
        market: raw returns.
        params: see params.yaml.
        folder: created if needed.

    Returns:
        statistics.

    Raises:
        StageError: there are too few days before `until`, or two stocks never moved the same way on one of them.
    """
    past = market.before(params.until).adjusted()
    if len(past.days) <= params.scale_days:
        raise StageError(
            f"until: there are {len(past.days)} days before {params.until}, and scale_days alone takes {params.scale_days}; "
            f"the first day is {market.days[0]}"
        )
    sentences = list(comovers(past.scaled(params.scale_days), params.threshold))
    if not sentences:
        raise StageError(f"threshold: on no day two stocks moved the same way by more than {params.threshold:g}; lower it")
    return {"days": len(past.days) - params.scale_days, **prepare_words(sentences, EVERY_WORD, folder)}
