"""People's judgement ends a canary whose answers are wrong, and not one that is unlucky."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from serving.records import Feedback, Recorded, Records
from serving.server.trials.gate import Gate
from serving.server.trials.judged import FEWEST, Judged, complaint

WORSE = Gate.worse


def test_a_challenger_with_wrong_answers_is_withdrawn() -> None:
    said = complaint(Judged(80, 100), Judged(10, 100), WORSE)
    assert said == "10 of 100 judged answers are right, and 80 of 100 of the champion's"


@pytest.mark.parametrize(
    ("champion", "challenger"),
    [
        (Judged(80, 100), Judged(80, 100)),
        (Judged(80, 100), Judged(95, 100)),
        (Judged(80, 100), Judged(72, 100)),  # within the limit
        (Judged(FEWEST, FEWEST), Judged(0, FEWEST - 1)),  # too few to judge
        (Judged(), Judged()),
    ],
)
def test_another_goes_on(champion: Judged, challenger: Judged) -> None:
    assert complaint(champion, challenger, WORSE) is None


def test_equal_versions_are_not_withdrawn_by_chance() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):  # canaries, each looked at after every ten answers
        right = rng.random((2, 400)) < 0.7
        judged = [[Judged(int(one[:n].sum()), n) for one in right] for n in range(FEWEST, 400, 10)]
        looks = [complaint(champion, challenger, WORSE) for champion, challenger in judged]
        assert looks == [None] * len(looks)


def test_only_feedback_on_this_version_and_trial_counts(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    records = Records(path)
    for i, (version, at, right) in enumerate([("1-a", 1.0, True), ("1-a", 5.0, True), ("1-a", 6.0, False), ("2-b", 7.0, False)]):
        identity = f"{i:032x}"
        records.write([Recorded(identity, 0, "surname", version, at, 0.001, "French")])
        assert records.judge(Feedback(identity, 0, "surname", version, at, "French", right))
    records.close()
    assert Judged.of(path, "surname", "1-a", 2.0) == Judged(1, 2)
    assert Judged.of(path, "surname", "2-b", 2.0) == Judged(0, 1)
    assert Judged.of(path, "names", "1-a", 0.0) == Judged(0, 0)
    assert sqlite3.connect(path).execute("select count(*) from feedback").fetchone() == (4,)
