"""The study's pictures."""

from collections.abc import Mapping, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipelines.evaluation.report import Table
from pipelines.studies.gradients.settings import CELLS

DPI = 120
TITLES = {"rnn": "vanilla RNN", "lstm": "LSTM", "gru": "GRU", "exploding": "vanilla RNN, large weights, SGD"}
COLORS = {"rnn": "tab:red", "lstm": "tab:blue", "gru": "tab:green"}
CONDITIONS = {  # of the networks whose gradients are drawn: what the legend says, and the line's color
    "torch": ("before training, torch's initialization", "tab:gray"),
    "chrono": ("before training, chrono initialization", "black"),
    "none": ("trained without clipping", "tab:red"),
    "norm": ("trained with clipping by norm", "tab:blue"),
    "value": ("trained with clipping by value", "tab:orange"),
}
STATES: dict[str, Literal["-", "--"]] = {"h": "-", "C": "--"}  # line styles
TOPS = {"loss": 10.0, "largest_norm": 1e5}  # of the panels: what is above has diverged
SCORES = {"adding": "adding problem", "copy": "delayed copy"}


def draw_norms(table: Table) -> Figure:
    """Gradient by distance from the loss: a panel for each subject, a line for each condition and state.

    Args:
        table: rows with subject, condition, state, distance and log10_norm.
    """
    subjects = _groups(table, "subject")
    figure = Figure(figsize=(3.6 * len(subjects), 4.8), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(subjects), sharey=True)
    for axes, ((subject,), lines) in zip(panels, subjects.items(), strict=True):
        for (condition, state), rows in _groups(lines, "condition", "state").items():
            norms = [10 ** float(row["log10_norm"]) for row in rows]
            axes.plot(_column(rows, "distance"), norms, STATES[state], color=CONDITIONS[condition][1])
        axes.set(title=TITLES[subject], xlabel="distance from the loss, steps", yscale="log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("norm of the gradient")
    handles = [Line2D([], [], color=color, label=label) for label, color in CONDITIONS.values()]
    handles += [Line2D([], [], color="black", linestyle=style, label=f"by ${state}_t$") for state, style in STATES.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_curves(table: Table) -> Figure:
    """Training with and without clipping: a column for each subject, the loss above and the gradient's norm below.

    Args:
        table: rows with subject, clipping, step, loss and largest_norm, a row for some steps together.
    """
    subjects, last = _groups(table, "subject"), max(_column(table, "step"))
    figure = Figure(figsize=(3.6 * len(subjects), 6.5), dpi=DPI, layout="constrained")
    panels = figure.subplots(2, len(subjects), sharex=True, sharey="row")
    for (above, below), ((subject,), lines) in zip(panels.T, subjects.items(), strict=True):
        for (clipping,), rows in _groups(lines, "clipping").items():
            for axes, column in ((above, "loss"), (below, "largest_norm")):
                _curve(axes, rows, column, *CONDITIONS[clipping], diverged=float(rows[-1]["step"]) < last)
        above.set(title=TITLES[subject], yscale="log")
        below.set(xlabel="step of training", yscale="log")
    panels[0, 0].set(ylabel="mean squared error", ylim=(None, TOPS["loss"]))  # when all is drawn: it ends the autoscaling
    panels[1, 0].set(ylabel="norm of the gradient before clipping", ylim=(None, TOPS["largest_norm"]))
    for axes in panels.flat:
        axes.grid(alpha=0.3)
    _legend(figure, panels[0, 0])
    return figure


def _curve(axes: Axes, rows: Table, column: str, label: str, color: str, *, diverged: bool) -> None:
    """One line; where training diverged it leaves the panel, and a cross at the top says when."""
    steps = _column(rows, "step")
    axes.plot(steps, _column(rows, column), color=color, label=label, linewidth=1)
    if diverged:
        place, end = axes.get_xaxis_transform(), steps[-1]
        axes.plot([end], [0.95], "x", color=color, transform=place)
        axes.annotate(f"infinite after {end:.0f} steps", (end, 0.95), (6, -4), place, "offset points", color=color)


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
