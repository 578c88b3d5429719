"""Drift cannot train for ever: pauses and weekly limits hold, whatever the order of alerts."""

from contextlib import nullcontext
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


@given(st.lists(st.integers(0, 400).map(lambda hour: hour + 0.5), max_size=8))
def test_both_limits_hold_for_any_earlier_trainings(hours: list[float]) -> None:
    limit = "pause_hours" if any(one < 24 for one in hours) else "per_week" if sum(one < 7 * 24 for one in hours) >= 3 else None
    with pytest.raises(StageError, match=limit) if limit else nullcontext():
        check_limits(LIMITS, ago(*hours))
