"""The gate lets equal models pass and holds back worse ones, whatever is worse about them."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.evaluation.scores import Scores
from pipelines.promotion.gate import FEWEST_BLOCKS, Measured, checks, held_back
from pipelines.settings.params import load_params

GATE = load_params().gate
ROWS = 2000
LABELS = ["English", "French", "German", "Irish"] * (ROWS // 4)


def model(accuracy: float, seed: int, calibration: float = 0.02, worse_label: str = "") -> Measured:
    """A classifier whose answers are right at random, and whose confidence is too high by its calibration error."""
    rng = np.random.default_rng(seed)
    chance = np.where(np.array(LABELS) == worse_label, accuracy - 0.3, accuracy)
    correct = (rng.random(ROWS) < chance).astype(float)
    confidence = np.full(ROWS, correct.mean() + calibration)
    scores = Scores("accuracy", correct, True, {"label": LABELS}, confidence=confidence, correct=correct > 0)
    return Measured(scores, 1.0, 1_000_000)


def failed(champion: Measured, challenger: Measured) -> list[str]:
    return [check.name for check in held_back(checks(GATE, champion, challenger, seed=1))]


def test_a_model_passes_against_itself() -> None:
    assert failed(model(0.8, 1), model(0.8, 1)) == []


def test_a_better_model_passes() -> None:
    assert failed(model(0.8, 1), model(0.9, 2)) == []


def test_a_worse_model_is_held_back() -> None:
    assert failed(model(0.8, 1), model(0.7, 2))[0] == "accuracy"


def test_a_loss_that_few_rows_cannot_prove_is_held_back_by_its_size() -> None:
    champion, challenger = (Measured(Scores("accuracy", np.array(v), True), 1.0, 1) for v in ([1.0, 1.0, 1.0], [1.0, 1.0, 0.0]))
    (check,) = held_back(checks(GATE, champion, challenger, seed=1))
    assert check.name == "accuracy"
    assert check.champion == 1.0


def test_a_small_loss_that_many_rows_prove_is_held_back() -> None:
    good = np.ones(2000)
    worse = np.where(np.arange(2000) % 100 == 0, 0.0, 1.0)  # one answer in a hundred
    champion, challenger = (Measured(Scores("accuracy", v, True), 1.0, 1) for v in (good, worse))
    assert good.mean() - worse.mean() < GATE.worse
    assert failed(champion, challenger) == ["accuracy"]


def test_losses_are_better_when_smaller() -> None:
    def forecaster(loss: float) -> Measured:
        return Measured(Scores("qlike", np.full(100, loss), False), 1.0, 1)

    assert failed(forecaster(0.4), forecaster(0.3)) == []
    assert failed(forecaster(0.3), forecaster(0.4)) == ["qlike"]


def test_one_bad_label_holds_a_model_back_whose_mean_is_better() -> None:
    assert failed(model(0.8, 1), model(0.95, 2, worse_label="Irish")) == ["label Irish"]


def test_a_small_slice_is_not_judged() -> None:
    labels = ["Irish"] * (GATE.slice_rows - 1) + ["French"] * 1000
    good = np.ones(len(labels))
    bad = np.where(np.array(labels) == "Irish", 0.5, 1.0)
    champion, challenger = (Measured(Scores("accuracy", v, True, {"label": labels}), 1.0, 1) for v in (good, bad))
    assert "label Irish" not in failed(champion, challenger)


def test_a_slice_of_few_months_is_not_judged() -> None:
    months = np.repeat(np.arange(40), 50)
    worse = np.where(months < FEWEST_BLOCKS - 1, 0.9, 1.0)
    for count, expected in ((FEWEST_BLOCKS - 1, []), (FEWEST_BLOCKS, ["year 2001"])):
        years = np.where(months < count, "2001", "2002").tolist()
        champion, challenger = (
            Measured(Scores("accuracy", v, True, {"year": years}, months), 1.0, 1) for v in (np.ones(2000), worse)
        )
        assert [name for name in failed(champion, challenger) if name != "accuracy"] == expected


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"latency_ms": 1.01 * GATE.latency}, "latency"),
        ({"refused": 1}, "examples"),
        ({"size": int(1_010_000 * GATE.size)}, "size"),
        ({"scores": model(0.8, 1, calibration=0.021 + GATE.calibration).scores}, "calibration"),
    ],
)
def test_each_other_condition_holds_a_model_back_alone(change: dict[str, float], name: str) -> None:
    champion = model(0.8, 1)
    assert failed(champion, replace(champion, **change)) == [name]  # type: ignore[arg-type]
