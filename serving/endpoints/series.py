"""Checks of the series in a request, shared by the endpoints of several kinds."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise

from serving.contract.faults import shown

Fault = tuple[str, str]  # an error code and a message
Column = Sequence[object]
PRICES = ("high", "low", "close")
LARGE = 1e100  # above it or below its inverse, ratios could overflow or underflow


def wrong_length(columns: Mapping[str, Column], needed: int, longest: int, purpose: str) -> Fault | None:
    """Check that all columns have the same length, within the limits.

    Args:
        columns: columns by name.
        needed: minimum number of times.
        longest: maximum number of times.
        purpose: what needs that many times, for the message.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        return "unequal_lengths", f"the columns have different numbers of values: {said}"
    length = next(iter(lengths.values()))
    if length < needed:
        return "input_too_short", f"the series has {length} times; {purpose} needs {needed}"
    if length > longest:
        return "input_too_long", f"the series has {length} times; this model takes at most {longest}, so send the latest ones"
    return None


def wrong_numbers(name: str, values: Column, *, above_zero: bool) -> Fault | None:
    """Check that all values are finite numbers and, if required, above zero."""
    for place, value in enumerate(values):
        if not isinstance(value, float) or not math.isfinite(value):
            return "invalid_value", f"{name}[{place}] is {shown(value)}, not a finite number"
        if above_zero and value <= 0:
            return "invalid_value", f"{name}[{place}] is {shown(value)}; it must be above zero"
        if abs(value) > LARGE or 0 < abs(value) < 1 / LARGE:
            return "invalid_value", f"{name}[{place}] is {shown(value)}, out of range; magnitudes are 1e-100 to 1e100"
    return None


def wrong_constant(name: str, values: Sequence[float], needed: int, purpose: str) -> Fault | None:
    """Check that a series is not constant over the times that the model reads."""
    recent = values[-needed:]
    if len(recent) > 1 and min(recent) == max(recent):
        return "constant_series", f"{name} is constant over the last {needed} times; it cannot be used to {purpose}"
    return None


def wrong_prices(columns: Mapping[str, Sequence[float]]) -> Fault | None:
    """Check that the close of each day is between its low and its high; the columns are PRICES."""
    for place, (high, low, close) in enumerate(zip(*(columns[name] for name in PRICES), strict=True)):
        if not low <= close <= high:
            return "invalid_value", f"at position {place}, close {close} is not between low {low} and high {high}"
    return None


def wrong_dates(texts: Sequence[object], *, daily: bool = False) -> Fault | None:
    """Check that all texts are dates and each is later than the one before; with `daily`, on a later day."""
    times = list[datetime]()
    for place, text in enumerate(texts):
        try:
            times.append(datetime.fromisoformat(str(text)))
        except ValueError:
            return "invalid_dates", f"dates[{place}] is {shown(text)}; write dates as 2018-12-31"
    try:
        late = next(_late([time.date() for time in times] if daily else times), None)
    except TypeError:
        return "invalid_dates", "some dates have a time zone and others do not"
    return ("invalid_dates", f"dates[{late}] is not later than the one before") if late else None


def _late(times: Sequence[date]) -> Iterator[int]:
    return (i for i, (before, after) in enumerate(pairwise(times), start=1) if after <= before)
