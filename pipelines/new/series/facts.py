"""Properties of series: their step, their seasonality, and where to split them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.series.arrays import Values
from pipelines.data.series.source import Series
from pipelines.new.series.seasons import Season, season_of, swings_grow
from pipelines.new.series.steps import Step, step_of, written
from pipelines.stage import StageError

FEWEST: Final = 100  # minimum time steps of a series
TRAINED, VALIDATED = 0.8, 0.9  # shares of the time steps at which validation and test begin
BLOCK: Final = 24  # time steps per block for comparing level and spread in a series without a season
SHOWN: Final = 5  # series
WHOLE_DAYS: Final = np.timedelta64(20, "D")  # if validation is at least this long, splits begin at midnight


@dataclass(frozen=True)
class SeriesFacts:
    """The properties that a block is made from.

    Attributes:
        series: all series.
        target: the column to forecast.
        inputs: the additional input columns.
        step: from one time to the next.
        season: of the target in the training split.
        grows: whether the target's fluctuations grow with its level.
        valid_from: where validation begins, in the settings' format.
        test_from: where the test begins.
    """

    series: Sequence[Series]
    target: str
    inputs: tuple[str, ...]
    step: Step
    season: Season
    grows: bool
    valid_from: str
    test_from: str

    @property
    def shortest(self) -> int:
        """Number of time steps of the shortest series."""
        return min(map(len, self.series))


def gather_series(series: Sequence[Series], target: str) -> SeriesFacts:
    """Analyse series whose columns are the target and the inputs.

    Raises:
        StageError: a series is too short, irregular or constant, or the series have different steps.
    """
    steps = {one.name: _step(one, target) for one in series}
    first = next(iter(steps))
    for name, step in steps.items():
        if step != steps[first]:
            raise StageError(
                f"times of the series {first!r} are one {steps[first].name} apart, those of {name!r} one {step.name};"
                " make a separate task for each"
            )
    bounds = _bounds(series)
    known = [one.columns[target][one.times < bounds[0]] for one in series]
    season = season_of(known, steps[first].cycles)
    grows = all((one.columns[target] > 0).all() for one in series)
    grows = grows and all(swings_grow(values, season.steps or BLOCK) for values in known)
    inputs = tuple(name for name in series[0].columns if name != target)
    return SeriesFacts(series, target, inputs, steps[first], season, grows, written(bounds[0]), written(bounds[1]))


def _step(series: Series, target: str) -> Step:
    where = f"the series {series.name!r}"
    if len(series) < FEWEST:
        raise StageError(f"{where} has {len(series)} times; a forecaster needs {FEWEST} or more")
    if (series.columns[target] == series.columns[target][0]).all():
        raise StageError(f"{where}: {target} is {series.columns[target][0]:g} at all times: there is nothing to forecast")
    return step_of(series.times, where)


def _bounds(series: Sequence[Series]) -> tuple[np.datetime64, np.datetime64]:
    """Where validation and test begin: by shares of all time steps, at midnight if the splits are long enough."""
    times = np.sort(np.concatenate([one.times for one in series]))
    valid, test = (times[int(share * len(times))] for share in (TRAINED, VALIDATED))
    if test - valid >= WHOLE_DAYS:
        return valid.astype("datetime64[D]"), test.astype("datetime64[D]")
    return valid, test


def told(facts: SeriesFacts) -> Iterator[str]:
    """A summary of the series, line by line."""
    for one in facts.series[:SHOWN]:
        between = f"{written(one.times[0])} to {written(one.times[-1])}"
        yield f"{one.name}: {len(one):,} times, one {facts.step.name} apart, {between}; {_range(facts.target, one)}"
    if len(facts.series) > SHOWN:
        yield f"and {len(facts.series) - SHOWN} more series"
    if facts.inputs:
        yield f"inputs: {', '.join(facts.inputs)}"
    looked = ", ".join(facts.step.times(cycle) for cycle in facts.step.cycles) or "none, as such times have no natural cycle"
    if facts.season.steps:
        season = facts.step.times(facts.season.steps)
        yield f"season: {season}, with an autocorrelation of {facts.season.correlation:.2f}; cycles tested: {looked}"
    else:
        yield f"season: none; cycles tested: {looked}"
    yield f"validation from {facts.valid_from}, test from {facts.test_from}"


def _range(name: str, series: Series) -> str:
    values = series.columns[name]
    return f"{name} {values.min():g} to {values.max():g}, median {np.median(values):g}"


def warnings_of(facts: SeriesFacts) -> Iterator[str]:
    """Possible problems of the series."""
    for one in facts.series:
        for name in facts.inputs:
            values: Values = one.columns[name]
            if (values == values[0]).all():
                yield f"the input {name!r} of the series {one.name!r} is {values[0]:g} at all times, so it is useless"
