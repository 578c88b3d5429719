"""Maps of word vectors: groups of words on two principal components."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.text.principal import principal
from models.text.vectors import WordVectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ITERATIONS = 150  # of moving labels apart; a limit in time instead would draw another picture on a slower machine


def word_map(name: str, vectors: WordVectors, groups: Mapping[str, list[str]]) -> "Figure":
    """Draw the groups' words on the two principal components of their vectors, with labels that do not overlap.

    Args:
        name: the title.
        vectors: words that they lack are left out.
        groups: words by group, which has a colour.
    """
    from adjustText import adjust_text  # these two take a second to import, and a wrong setting should be reported before
    from matplotlib.figure import Figure

    known = {group: [word for word in words if word in vectors.vocabulary] for group, words in groups.items()}
    spots = _spots(vectors, [word for words in known.values() for word in words])
    figure = Figure(figsize=(7.5, 6), dpi=120, layout="constrained")
    axes = figure.add_subplot(title=name, xlabel="first principal component", ylabel="second principal component")
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    axes.margins(0.08)
    for number, (group, members) in enumerate(known.items()):  # a group without known words keeps its colour for the others
        x, y = np.array([spots[word] for word in members if word in spots]).reshape(-1, 2).T
        axes.scatter(x, y, s=16, label=group, color=f"C{number}")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    labels = [axes.text(x, y, word, fontsize=9) for word, (x, y) in spots.items()]
    if labels:
        figure.draw_without_rendering()  # which fixes the layout, and so how large a label is beside the axes
        lines = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.7}
        adjust_text(labels, ax=axes, iter_lim=ITERATIONS, expand=(1.2, 1.4), force_text=(0.3, 0.6), arrowprops=lines)
    return figure


def _spots(vectors: WordVectors, words: Sequence[str]) -> dict[str, NDArray[np.floating]]:
    """Return each word's place on the first two principal components; nothing for fewer than two words."""
    if len(words) < 2:
        return {}
    matrix = np.stack([vectors.vector(word) for word in words])
    return dict(zip(words, principal(matrix / np.linalg.norm(matrix, axis=1, keepdims=True).clip(min=1e-12)), strict=True))
