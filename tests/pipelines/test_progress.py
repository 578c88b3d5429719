"""Without a terminal, a stage prints progress lines: often enough, but not too often."""

from itertools import pairwise

import pytest

from pipelines import progress
from pipelines.progress import Pace, Progress


@pytest.mark.parametrize(("hours", "longest"), [(0.5, 30.0), (2.5, 150.0)])
def test_lines_are_frequent_but_few(hours: float, longest: float) -> None:
    now = [0.0]
    pace, printed = Pace(lambda: now[0]), [0.0]
    while now[0] < hours * 3600:
        now[0] += 1.0
        if pace.due():
            printed.append(now[0])
    assert max(later - sooner for sooner, later in pairwise(printed)) <= longest
    assert len(printed) <= 200


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every line due, independent of the time and of earlier lines."""
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    monkeypatch.setattr(progress, "LATER", 0.0)
    monkeypatch.setattr(progress, "PACE", Pace())


@pytest.mark.usefixtures("at_once")
def test_a_line_shows_progress_rate_time_left_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("epoch 2 of 3", 300, "steps", 100) as bar:
        bar.advance(50, lambda: "loss 4.2")
    said = capsys.readouterr().out
    assert said.startswith("epoch 2 of 3: 150 of 300 steps, ")
    assert "/s, 00:" in said
    assert said.endswith(" left, loss 4.2\n")


@pytest.mark.usefixtures("at_once")
def test_hidden_progress_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("epoch 1 of 1", 2, "steps", shown=False) as bar:
        bar.advance(1)
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("at_once")
def test_a_heartbeat_line_is_printed_without_progress(capsys: pytest.CaptureFixture[str]) -> None:
    said = ""
    with progress.heartbeat("evaluate fr-en"):
        while not said:
            said = capsys.readouterr().out
    assert said.startswith("evaluate fr-en: running for ")
