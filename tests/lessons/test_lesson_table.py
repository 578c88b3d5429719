"""The table of the lessons states the intervals of the lessons and the seconds of the last measurement."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.lessons import expected, names

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| [\d.]+ \| \[(\w+)\.py\]\(\1\.py\) \|(.*)\|$", re.MULTILINE)
ROWS = dict(ROW.findall((ROOT / "lessons/README.md").read_text(encoding="utf-8")))
FIGURES = json.loads((ROOT / "benchmarks/results/teaching.json").read_text(encoding="utf-8"))["figures"]


def test_every_lesson_has_a_row() -> None:
    assert sorted(ROWS) == names()


@pytest.mark.parametrize("lesson", names())
def test_a_row_states_the_seconds_and_the_interval(lesson: str) -> None:
    *_, seconds, result = (cell.strip() for cell in ROWS[lesson].split("|"))
    low, high = expected(lesson)
    assert seconds == f"{FIGURES[f'{lesson}_s']:.0f}"
    assert f" {low} to {high} " in result
