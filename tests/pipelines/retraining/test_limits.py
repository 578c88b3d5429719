"""Drift cannot train for ever: pauses and weekly limits hold, whatever the order of alerts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.retraining.retrain import check_limits
from pipelines.settings.gate import Retraining
from pipelines.stage import StageError

LIMITS = Retraining(pause_hours=24, per_week=3, rows=1, share=0.2, promotion="person")


def ago(*hours: float) -> list[datetime]:
    return [datetime.now(UTC) - timedelta(hours=one) for one in sorted(hours, reverse=True)]


@pytest.mark.parametrize("hours", [(), (25,), (25, 50), (200, 190, 180, 170)])
def test_a_training_is_allowed(hours: tuple[float, ...]) -> None:
    check_limits(LIMITS, ago(*hours))


@pytest.mark.parametrize(("hours", "limit"), [((1,), "pause_hours"), ((25, 50, 100), "per_week")])
def test_a_training_is_refused_with_the_limit(hours: tuple[float, ...], limit: str) -> None:
    with pytest.raises(StageError, match=limit):
        check_limits(LIMITS, ago(*hours))


@given(st.lists(st.floats(0, 1000), min_size=4, max_size=8))
def test_no_more_than_the_weekly_number_is_ever_allowed(hours: list[float]) -> None:
    recent = [one for one in hours if one < 167]
    if len(recent) >= LIMITS.per_week:
        with pytest.raises(StageError):
            check_limits(LIMITS, ago(*hours))
