"""Parses the fields of a table of series."""

import math
import re
from datetime import UTC, datetime


def time_of(text: str, dates: str = "") -> datetime:
    """Parse a time; converted to UTC if it has an offset.

    Args:
        text: to parse.
        dates: its format, see SeriesSource.

    Raises:
        ValueError: it is not a time.
    """
    try:
        time = datetime.strptime(text, dates) if dates else datetime.fromisoformat(text)
    except ValueError as error:
        advice = f"the format is {dates}" if dates else "write dates as 2018-12-31 or 2018-12-31T23:00"
        raise ValueError(f"{text!r} is not a date; {advice}") from error
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def number_of(text: str, column: str) -> float:
    """Parse a finite number. Raises ValueError if it is not one."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    if re.fullmatch(r"-?\d+,\d+", text):
        raise ValueError(f"{text!r} in the column {column!r} has a decimal comma; write {text.replace(',', '.')}")
    raise ValueError(f"{text!r} in the column {column!r} is not a finite number; fill the gap, or leave the record out")
