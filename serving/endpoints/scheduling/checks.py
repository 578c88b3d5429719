"""Checks of the orders and markets in a request to a scheduler."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import numpy as np

from models.series.sessions import Days
from serving.bundle import OrderLimits
from serving.contract.faults import shown
from serving.endpoints.scheduling.contract import NAMES, Order, OrderInput
from serving.endpoints.series import Fault, wrong_constant, wrong_dates, wrong_length, wrong_numbers, wrong_prices

YEARS: Final = 1970, 2199  # validity of the rules for New York's trading days


def check_input(asked: OrderInput, limits: OrderLimits, window: int, longest: int) -> Fault | None:
    """Check an input; returns None if it is valid.

    Args:
        asked: the order and its market.
        limits: limits of the order.
        window: number of days that the model reads.
        longest: maximum number of days of the market.
    """
    columns = columns_of(asked)
    sent: dict[str, Sequence[object]] = {**columns, **({} if asked.dates is None else {"dates": asked.dates})}
    return (
        _wrong_order(asked.order, limits)
        or wrong_length(sent, window, longest, "a schedule")
        or next((fault for name in NAMES if (fault := wrong_numbers(name, columns[name], above_zero=True))), None)
        or wrong_prices(columns)
        or wrong_constant("close", columns["close"], window, "estimate risk")
        or wrong_dates(asked.dates or (), daily=True)
        or _beyond_calendar(asked)
    )


def columns_of(asked: OrderInput) -> dict[str, list[float]]:
    """The market's columns by name; in a checked input they contain numbers."""
    return {name: cast(list[float], getattr(asked, name)) for name in NAMES}


def days_of(asked: OrderInput) -> Days | None:
    """The market's days; the input must have been checked."""
    if asked.dates is None:
        return None
    return np.array([datetime.fromisoformat(text).date() for text in asked.dates], "datetime64[D]")


def _wrong_order(order: Order, limits: OrderLimits) -> Fault | None:
    """Check the order against the limits that the model was trained for."""
    for name, begins, fits, most in (
        ("horizon", "must be 1 to", 1 <= order.horizon <= limits.longest, f"{limits.longest} days"),
        ("share", "must be above 0 and at most", 0 < order.share <= limits.most_share, f"{limits.most_share:g}"),
        ("risk_aversion", "must be 0 to", 0 <= order.risk_aversion <= limits.most_aversion, f"{limits.most_aversion:g}"),
    ):
        if not fits:
            return "invalid_order", f"order.{name} {begins} {most} for this model, not {shown(getattr(order, name))}"
    return None


def _beyond_calendar(asked: OrderInput) -> Fault | None:
    """Check that the dates are within the years of the trading calendar."""
    first, last = YEARS
    for place, text in enumerate(asked.dates or ()):
        if not first <= datetime.fromisoformat(text).year <= last:
            return "invalid_dates", f"dates[{place}] is {shown(text)}; the trading calendar covers {first} to {last}"
    return None
