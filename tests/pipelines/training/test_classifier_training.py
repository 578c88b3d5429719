"""Class weights and calibration temperature, which a classifier takes from data in addition to its weights."""

from pathlib import Path

import numpy as np
import pytest
import shipped
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.classification.classifier import Classifier
from pipelines.evaluation.calibration import calibration_bins, expected_calibration_error
from pipelines.kinds.classification.training import balance, calibrate, fit_temperature
from pipelines.kinds.parts import build
from pipelines.settings.params import Params
from pipelines.store import Split, write_split


def sampled(seed: int, rows: int = 5000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax: a perfectly calibrated classifier."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(rows, 4))
    return logits, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5))
def test_the_temperature_reverses_a_scaling(seed: int, factor: float) -> None:
    logits, labels = sampled(seed)
    assert fit_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.15)


def test_an_overconfident_classifier_becomes_calibrated() -> None:
    logits, labels = sampled(0)
    logits = logits * 3

    def error(temperature: float) -> float:
        shares = torch.softmax(torch.from_numpy(logits / temperature), 1).numpy()
        return expected_calibration_error(calibration_bins(shares.max(1), shares.argmax(1) == labels))

    assert error(fit_temperature(logits, labels)) < 0.03 < 0.1 < error(1)


@pytest.fixture
def model(small_params: Params, prepared: dict[str, Path]) -> Classifier:
    torch.manual_seed(0)
    built = build(shipped.surname(small_params), prepared["surname"])
    assert isinstance(built, Classifier)
    return built


def test_calibration_changes_only_the_temperature(model: Classifier, prepared: dict[str, Path]) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    calibrate(model, Split(prepared["surname"] / "valid"), units=100)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"temperature"}


def test_balanced_weights_give_labels_equal_weight(model: Classifier, tmp_path: Path) -> None:
    labels = [0] * 6 + [1] * 2 + [2] + [3]
    write_split(tmp_path, {"characters": [[1, 2]] * len(labels), "label": labels})
    balance(model, Split(tmp_path))
    weights = model.class_weights[labels]
    assert weights.sum().item() == pytest.approx(len(labels))
    totals = [weights[torch.tensor(labels) == label].sum().item() for label in range(4)]
    assert totals == pytest.approx([len(labels) / 4] * 4)


def test_class_weights_scale_only_training_losses(model: Classifier) -> None:
    model.rnn.dropout.p = model.dropout.p = model.input_dropout.p = model.ngrams.dropout = model.label_smoothing = 0.0
    batch = (torch.randint(4, 9, (1, 5)), torch.tensor([5]), torch.tensor([2]))
    plain = model.train()(*batch).total.item()
    model.class_weights[2] = 3.0
    assert model(*batch).total.item() == pytest.approx(3 * plain, rel=1e-5)
    assert model.eval()(*batch).total.item() == pytest.approx(plain, rel=1e-5)


def test_few_correct_rows_do_not_lead_to_certainty() -> None:
    logits = np.tile([8.0, 0.0, 0.0], (4, 1))
    scaled = logits[0] / fit_temperature(logits, np.zeros(4, np.int64))
    assert 0.8 < np.exp(scaled[0]) / np.exp(scaled).sum() < 0.9  # (4 + 1/3) / 5
