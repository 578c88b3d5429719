"""The study's pictures."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.evaluation.report import Table
from pipelines.studies.gradients.settings import CELLS

DPI = 120
TITLES = {"rnn": "vanilla RNN", "lstm": "LSTM", "gru": "GRU"}
COLORS = {"rnn": "tab:red", "lstm": "tab:blue", "gru": "tab:green"}
CONDITIONS = {  # of the networks whose gradients are drawn: what the legend says, and the line's color
    "torch": ("before training, torch's initialization", "tab:gray"),
    "chrono": ("before training, chrono initialization", "black"),
    "none": ("trained without clipping", "tab:red"),
    "norm": ("trained with clipping by norm", "tab:blue"),
    "value": ("trained with clipping by value", "tab:orange"),
}
STATES = {"h": "-", "C": "--"}  # line styles
SCORES = {"adding": "adding problem", "copy": "delayed copy"}


def draw_norms(table: Table) -> Figure:
    """Gradient by distance from the loss: a panel for each cell, a line for each condition and state.

    Args:
        table: rows with cell, condition, state, distance and log10_norm.
    """
    figure = Figure(figsize=(12, 4.5), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(CELLS), sharey=True)
    for axes, cell in zip(panels, CELLS, strict=True):
        for (condition, state), rows in _groups(_of(table, "cell", cell), "condition", "state").items():
            norms = [10 ** float(row["log10_norm"]) for row in rows]
            label, color = CONDITIONS[condition]
            axes.plot(_column(rows, "distance"), norms, STATES[state], color=color, label=label if state == "h" else None)
        axes.set(title=TITLES[cell], xlabel="distance from the loss, steps", yscale="log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("norm of the gradient by the state")
    for state, style in STATES.items():
        panels[1].plot([], [], style, color="black", label=f"by ${state}_t$")
    _legend(figure, panels[1])
    return figure


def draw_curves(table: Table) -> Figure:
    """Training with and without clipping: a column for each cell, the loss above and the gradient's norm below.

    Args:
        table: rows with cell, clipping, step, loss and largest_norm, a row for some steps together.
    """
    figure = Figure(figsize=(12, 6.5), dpi=DPI, layout="constrained")
    panels = figure.subplots(2, len(CELLS), sharex=True, sharey="row")
    for (above, below), cell in zip(panels.T, CELLS, strict=True):
        for (clipping,), rows in _groups(_of(table, "cell", cell), "clipping").items():
            label, color = CONDITIONS[clipping]
            above.plot(_column(rows, "step"), _column(rows, "loss"), color=color, label=label, linewidth=1)
            below.plot(_column(rows, "step"), _column(rows, "largest_norm"), color=color, linewidth=1)
        above.set(title=TITLES[cell], yscale="log")
        below.set(xlabel="step of training", yscale="log")
    panels[0, 0].set_ylabel("mean squared error")
    panels[1, 0].set_ylabel("norm of the gradient before clipping")
    for axes in panels.flat:
        axes.grid(alpha=0.3)
    _legend(figure, panels[0, 1])
    return figure


def draw_shares(table: Table) -> Figure:
    """Which share of the networks solved a task: a panel for each task, a bar for each length and cell.

    Args:
        table: rows with task, cell, length, seeds and solved.
    """
    tasks = _groups(table, "task")
    figure = Figure(figsize=(5.5 * len(tasks), 4), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, ((task,), rows) in zip(panels, tasks.items(), strict=True):
        lengths = sorted({int(row["length"]) for row in rows})
        for place, cell in enumerate(CELLS):
            _bars(axes, place, cell, sorted(_of(rows, "cell", cell), key=lambda row: int(row["length"])))
        axes.set(title=SCORES[task], xlabel="length T of the sequences, steps", ylim=(0, 1.12))
        axes.set_xticks(range(len(lengths)), [str(length) for length in lengths])
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("share of seeds that solved it")
    _legend(figure, panels[0])
    return figure


def _bars(axes: Axes, place: int, cell: str, rows: Table) -> None:
    """One cell's, with how many of how many seeds above each."""
    width = 0.8 / len(CELLS)
    lefts = [i + (place - (len(CELLS) - 1) / 2) * width for i in range(len(rows))]
    bars = axes.bar(lefts, _column(rows, "solved"), 0.9 * width, color=COLORS[cell], label=TITLES[cell])
    counts = [f"{round(float(row['solved']) * int(row['seeds']))}/{row['seeds']}" for row in rows]
    axes.bar_label(bars, counts, padding=2, fontsize=8)


def _legend(figure: Figure, axes: Axes) -> None:
    """Below all panels, for the lines of one that has every kind."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)


def _of(table: Table, column: str, value: str) -> Table:
    return [row for row in table if row[column] == value]


def _groups(table: Table, *columns: str) -> Mapping[tuple[str, ...], Table]:
    """Rows by what they have in these columns."""
    groups: dict[tuple[str, ...], list[Mapping[str, str | int | float]]] = {}
    for row in table:
        groups.setdefault(tuple(str(row[column]) for column in columns), []).append(row)
    return groups


def _column(rows: Table, name: str) -> Sequence[float]:
    return [float(row[name]) for row in rows]
