"""Learning curves show the losses of the train stage's file, and which epoch was kept."""

from pathlib import Path

import numpy as np

from pipelines.evaluation.curves import learning_curve

HISTORY = "epoch,train_loss,valid_loss,learning_rate\n1.0,3.0,2.5,0.1\n2.0,2.0,2.0,0.1\n3.0,1.0,2.25,0.0\n"


def test_both_losses_are_drawn_and_the_best_epoch_marked(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text(HISTORY, encoding="utf-8")
    (axes,) = learning_curve("names", tmp_path / "names.csv").axes
    lines = {str(line.get_label()): line for line in axes.lines}
    assert [np.asarray(lines[name].get_ydata()).tolist() for name in ("training", "validation")] == [
        [3.0, 2.0, 1.0],
        [2.5, 2.0, 2.25],
    ]
    assert np.asarray(lines["lowest validation loss"].get_xdata()).tolist() == [2.0, 2.0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
