"""Draws attention as a heat map."""

import numpy as np
from matplotlib.figure import Figure

from serving.predictors.translation import Alignment

CELL = 0.28  # inches: enough for a line of 9 point text


def heat_map(alignment: Alignment) -> Figure:
    """Draw alpha_tj: a row for each target piece t, a column for each source piece j; darker cells have higher weights.

    As in figure 3 of Bahdanau et al. 2015, arXiv 1409.0473. The axes fill the figure, so that cells have the same size for
    every sentence; the labels are outside, so the figure has to be saved with a tight bounding box.
    """
    rows, columns = alignment.weights.shape
    figure = Figure(figsize=(columns * CELL, rows * CELL), dpi=120)
    axes = figure.add_axes((0, 0, 1, 1), xlabel="source", ylabel="translation")
    cells = axes.pcolormesh(alignment.weights, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    axes.invert_yaxis()
    axes.set_xticks(np.arange(columns) + 0.5, _legible(alignment.source), rotation=90)
    axes.set_yticks(np.arange(rows) + 0.5, _legible(alignment.target))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    bar = axes.inset_axes((1 + 0.6 / columns, 0, 0.6 / columns, 1))  # as high as the map, 0.6 cells wide
    figure.colorbar(cells, bar, label="attention weight", ticks=[0, 0.5, 1]).outline.set_visible(False)
    return figure


def _legible(pieces: list[str]) -> list[str]:
    """Replaces the tokenizer's word-start mark, which is a heavy block in most fonts."""
    return [piece.replace("▁", "_") for piece in pieces]
