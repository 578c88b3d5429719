"""Learning curves: the losses of each epoch of a training."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = {"train_loss": ("training", "tab:blue"), "valid_loss": ("validation", "tab:orange")}


def learning_curve(name: str, history: Path) -> "Figure":
    """Draw training and validation loss by epoch, with a mark at the epoch whose weights are kept.

    Args:
        name: the title.
        history: the CSV file of the train stage, with a row for each epoch.
    """
    from matplotlib.figure import Figure  # half a second, which most errors of the stage should not wait for
    from matplotlib.ticker import MaxNLocator

    with history.open(encoding="utf-8", newline="") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(7, 3.4), dpi=120, layout="constrained")
    axes = figure.add_subplot(title=name, xlabel="epoch", ylabel="loss")
    for key, (label, color) in LINES.items():
        axes.plot(epochs, [row[key] for row in rows], "o-", color=color, markersize=4, label=label)
    best = min(rows, key=lambda row: row["valid_loss"])
    axes.axvline(best["epoch"], color="0.6", linestyle="--", linewidth=1, label="lowest validation loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure
