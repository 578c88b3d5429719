"""Trading days become sentences of the stocks that moved together, without look-ahead."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from markets import FIRST, NAMES, SECTORS, market, write_prices

from models.embeddings.word2vec import Word2VecSettings, train_word2vec
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.data.corpora.comovers import comovers, prepare_comovers
from pipelines.data.series.market import Market
from pipelines.data.series.source import Series
from pipelines.embedding.sentences import read_corpus
from pipelines.settings.corpora import Comovers, ComoversPrepare
from pipelines.stage import StageError
from pipelines.stages.prepare_corpus import prepare_corpus

DAYS, SCALE = 400, 10
UNTIL = FIRST + timedelta(days=300)
RULES = ComoversPrepare(until=UNTIL, scale_days=SCALE, threshold=0.7)


def learned(folder: Path) -> WordVectors:
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    settings = Word2VecSettings(dimension=8, window=20, negatives=1, sample=0, epochs=100, learning_rate=0.025, last_rate=0.0001)
    corpus = read_corpus(folder / "train")
    matrix = train_word2vec("skip_gram", "negative_sampling", corpus, vocabulary.counts, settings, threads=1, seed=1)
    return WordVectors(vocabulary, matrix, {})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def shaken(shown: Market, day: date) -> Market:
    """The same market before a day, and a different one from that day onwards."""
    later = shown.days >= np.datetime64(day)
    other = np.random.default_rng(9).normal(size=shown.returns.shape)
    return replace(shown, returns=np.where(later[:, None], other, shown.returns))


@pytest.mark.parametrize(("day", "same"), [(UNTIL, True), (UNTIL - timedelta(days=1), False)])
def test_days_from_until_onwards_have_no_effect(tmp_path: Path, day: date, same: bool) -> None:
    for name, shown in (("one", market(DAYS)), ("other", shaken(market(DAYS), day))):
        prepare_comovers(shown, RULES, tmp_path / name)
    assert (contents(tmp_path / "one") == contents(tmp_path / "other")) is same
    one, other = (learned(tmp_path / name).matrix for name in ("one", "other"))
    assert np.array_equal(one, other) is same


def test_the_stage_reads_prices_and_stops_at_the_day(tmp_path: Path) -> None:
    corpus = Comovers.model_validate({"form": "comovers", "data": {"set": "prices"}, "prepare": RULES.model_dump()})
    for name, shown in (("one", market(DAYS)), ("other", market(DAYS).before(UNTIL))):
        statistics = prepare_corpus(corpus, write_prices(tmp_path / "prices.csv", shown), tmp_path, tmp_path / name)
        assert statistics["days"] == 300 - SCALE
        assert statistics["distinct_words"] == len(NAMES)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_day_gives_risers_and_fallers_each_twice() -> None:
    days = np.datetime64("2001-01-01") + np.arange(3)
    shown = Market(("a", "b", "c", "d"), days, np.array([[1.0, 3, -2, -1], [0.2, 0.1, 0, -0.3], [2, 0, 0, -2]]))
    assert list(comovers(shown, 0.5)) == [["b", "a", "b", "a"], ["c", "d", "c", "d"]]
    assert list(comovers(shown, 0.05))[2:] == [["a", "b", "a", "b"]]  # a stock that moves alone gives no sentence


def test_names_keep_their_case(tmp_path: Path) -> None:
    prepare_comovers(market(DAYS), RULES, tmp_path)
    assert {*WordVocabulary.load(tmp_path / VOCABULARY).words} == {*NAMES}


def test_stocks_of_a_sector_end_up_near_each_other(tmp_path: Path) -> None:
    prepare_comovers(market(DAYS), RULES, tmp_path)
    vectors = learned(tmp_path)
    for members in SECTORS.values():
        for name in members:
            assert {near for near, _ in vectors.nearest(name, 2)} == {*members} - {name}


def test_returns_are_market_adjusted_and_scaled_by_past_volatility() -> None:
    shown = market(DAYS)
    adjusted = shown.adjusted()
    np.testing.assert_allclose(adjusted.returns.mean(axis=1), 0, atol=1e-12)
    scaled = adjusted.scaled(SCALE)
    usual = np.sqrt((adjusted.returns[5 : 5 + SCALE] ** 2).mean(axis=0))
    np.testing.assert_allclose(scaled.returns[5], adjusted.returns[5 + SCALE] / usual)
    assert scaled.days[5] == shown.days[5 + SCALE]
    still = replace(adjusted, returns=np.zeros(adjusted.returns.shape))
    assert not still.scaled(SCALE).returns.any()


def test_a_market_has_the_days_common_to_all_stocks() -> None:
    first = Series("a", np.array(["2001-01-01", "2001-01-02", "2001-01-04"], "datetime64[s]"), {"close": np.array([1.0, 2, 4])})
    second = Series("b", np.array(["2001-01-01", "2001-01-03", "2001-01-04"], "datetime64[s]"), {"close": np.array([1.0, 9, 1])})
    found = Market.of([first, second])
    assert found.days.tolist() == [date(2001, 1, 4)]
    np.testing.assert_allclose(found.returns, [[np.log(4), 0]])


def prices(name: str = "a", column: str = "close", low: float = 1.0) -> Series:
    return Series(name, np.array(["2001-01-01", "2001-01-02"], "datetime64[s]"), {column: np.array([low, 2.0])})


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ([prices()], "need two stocks or more; the data set has 1"),
        ([prices(), prices("b", "closes")], "the series 'b' has no column 'close'; did you mean 'closes'"),
        ([prices(), prices("b", low=0.0)], "the series 'b' has a price that is not above 0"),
        ([prices(), prices("BRK B")], "the series 'BRK B' has a space in its name"),
        ([prices(), replace(prices("b"), times=prices().times + np.timedelta64(1, "D"))], "the 2 series have 1 in common"),
    ],
)
def test_an_invalid_market_is_refused(series: list[Series], message: str) -> None:
    with pytest.raises(StageError, match=message):
        Market.of(series)


def test_too_few_days_or_too_high_a_threshold_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=rf"until: there are {SCALE} days before .* the first day is 2001-01-01"):
        prepare_comovers(market(DAYS), RULES.model_copy(update={"until": FIRST + timedelta(days=SCALE)}), tmp_path)
    with pytest.raises(StageError, match="threshold: on no day two stocks moved the same way by more than 99; lower it"):
        prepare_comovers(market(DAYS), RULES.model_copy(update={"threshold": 99.0}), tmp_path)
