"""Where there is no terminal, a stage says how far it is: often enough, and not too often."""

from itertools import pairwise

import pytest

from pipelines import progress
from pipelines.progress import Pace, Progress


@pytest.mark.parametrize(("hours", "longest"), [(0.5, 30.0), (2.5, 150.0)])
def test_lines_come_often_and_are_few(hours: float, longest: float) -> None:
    now = [0.0]
    pace, printed = Pace(lambda: now[0]), [0.0]
    while now[0] < hours * 3600:
        now[0] += 1.0
        if pace.due():
            printed.append(now[0])
    assert max(later - sooner for sooner, later in pairwise(printed)) <= longest
    assert len(printed) <= 200


def test_a_line_says_how_far_how_fast_and_what_more(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    with Progress("epoch 2 of 3", 300, "steps", 100) as bar:
        bar.advance(50, lambda: "loss 4.2")
    said = capsys.readouterr().out
    assert said.startswith("epoch 2 of 3: 150 of 300 steps, ")
    assert "/s, 00:" in said
    assert said.endswith(" left, loss 4.2\n")


def test_what_is_not_shown_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    with Progress("epoch 1 of 1", 2, "steps", shown=False) as bar:
        bar.advance(1)
    assert capsys.readouterr().out == ""


def test_work_without_news_is_known_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    monkeypatch.setattr(progress, "LATER", 0.0)
    said = ""
    with progress.heartbeat("evaluate fr-en"):
        while not said:
            said = capsys.readouterr().out
    assert said.startswith("evaluate fr-en: running for ")
