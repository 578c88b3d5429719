"""The study's figures."""

from collections.abc import Mapping, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipelines.evaluation.findings import Table
from pipelines.studies.gradients.settings import CELLS

DPI = 120
WIDTH, COLUMNS = 8.0, 2  # inches: in wider pictures the labels are illegible on a page
TITLES = {"rnn": "vanilla RNN", "lstm": "LSTM", "gru": "GRU", "exploding": "vanilla RNN, large weights, SGD"}
COLORS = {"rnn": "tab:red", "lstm": "tab:blue", "gru": "tab:green"}
CONDITIONS = {  # condition of a network -> its legend label and line color
    "torch": ("before training, torch's initialization", "tab:gray"),
    "chrono": ("before training, chrono initialization", "black"),
    "none": ("trained without clipping", "tab:red"),
    "norm": ("trained with clipping by norm", "tab:blue"),
    "value": ("trained with clipping by value", "tab:orange"),
}
STATES: dict[str, Literal["-", "--"]] = {"h": "-", "C": "--"}  # line styles
TOPS = {"loss": 10.0, "largest_norm": 1e5}  # upper limits of the panels: larger values have diverged
SCORES = {"adding": "adding problem", "copy": "delayed copy"}


def draw_norms(table: Table) -> Figure:
    """Gradient by distance from the loss: one panel per subject, one line per condition and state.

    Args:
        table: rows with subject, condition, state, distance and log10_norm.
    """
    subjects = _groups(table, "subject")
    rows_of_panels = -(-len(subjects) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 2.9 * rows_of_panels + 1.2), dpi=DPI, layout="constrained")
    panels = figure.subplots(rows_of_panels, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes, ((subject,), lines) in zip(panels.flat, subjects.items(), strict=False):
        for (condition, state), rows in _groups(lines, "condition", "state").items():
            norms = [10 ** float(row["log10_norm"]) for row in rows]
            axes.plot(_column(rows, "distance"), norms, STATES[state], color=CONDITIONS[condition][1])
        axes.set(title=TITLES[subject], xlabel="distance from the loss, steps", ylabel="norm of the gradient", yscale="log")
        axes.label_outer()
        axes.grid(alpha=0.3)
    for axes in panels.flat[len(subjects) :]:
        axes.set_axis_off()
    handles = [Line2D([], [], color=color, label=label) for label, color in CONDITIONS.values()]
    handles += [Line2D([], [], color="black", linestyle=style, label=f"by ${state}_t$") for state, style in STATES.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=COLUMNS, frameon=False)
    return figure


def draw_curves(table: Table) -> Figure:
    """Training with and without clipping: one row per subject, with the loss on the left and the gradient's norm on the right.

    Args:
        table: rows with subject, clipping, step, loss and largest_norm, each for a window of steps.
    """
    subjects, last = _groups(table, "subject"), max(_column(table, "step"))
    figure = Figure(figsize=(WIDTH, 2.3 * len(subjects) + 0.8), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(subjects), 2, sharex=True, sharey="col", squeeze=False)
    for (left, right), ((subject,), lines) in zip(panels, subjects.items(), strict=True):
        for (clipping,), rows in _groups(lines, "clipping").items():
            for axes, column in ((left, "loss"), (right, "largest_norm")):
                _curve(axes, rows, column, *CONDITIONS[clipping], diverged=float(rows[-1]["step"]) < last)
        left.set(title=TITLES[subject], ylabel="mean squared error", yscale="log")
        right.set(title=TITLES[subject], ylabel="norm before clipping", yscale="log")
    for axes, column in zip(panels[0], ("loss", "largest_norm"), strict=True):
        axes.set_ylim(None, TOPS[column])  # after drawing, since it turns off autoscaling
    for axes in panels.flat:
        axes.grid(alpha=0.3)
    for axes in panels[-1]:
        axes.set_xlabel("step of training")
    _legend(figure, panels[0, 0])
    return figure


def _curve(axes: Axes, rows: Table, column: str, label: str, color: str, *, diverged: bool) -> None:
    """Draw one line; if training diverged, a cross at the top marks the step."""
    steps = _column(rows, "step")
    axes.plot(steps, _column(rows, column), color=color, label=label, linewidth=1)
    if diverged:
        place, end = axes.get_xaxis_transform(), steps[-1]
        axes.plot([end], [0.95], "x", color=color, transform=place)
        axes.annotate(f"infinite after {end:.0f} steps", (end, 0.95), (6, -4), place, "offset points", color=color)


def draw_shares(table: Table) -> Figure:
    """Share of the networks that solved a task: one panel per task, one bar per length and cell.

    Args:
        table: rows with task, cell, length, seeds and solved.
    """
    tasks = _groups(table, "task")
    figure = Figure(figsize=(WIDTH, 2.6 * len(tasks) + 0.6), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(tasks), 1, squeeze=False)[:, 0]
    for axes, ((task,), rows) in zip(panels, tasks.items(), strict=True):
        lengths = sorted({int(row["length"]) for row in rows})
        for place, cell in enumerate(CELLS):
            _bars(axes, place, cell, sorted(_of(rows, "cell", cell), key=lambda row: int(row["length"])))
        axes.set(title=SCORES[task], ylabel="share of seeds that solved it", ylim=(0, 1.15))
        axes.set_xticks(range(len(lengths)), [str(length) for length in lengths])
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("length T of the sequences, steps")
    _legend(figure, panels[0])
    return figure


def _bars(axes: Axes, place: int, cell: str, rows: Table) -> None:
    """Draw one cell's bars, with the number of seeds above each."""
    width = 0.8 / len(CELLS)
    lefts = [i + (place - (len(CELLS) - 1) / 2) * width for i in range(len(rows))]
    bars = axes.bar(lefts, _column(rows, "solved"), 0.9 * width, color=COLORS[cell], label=TITLES[cell])
    counts = [f"{round(float(row['solved']) * int(row['seeds']))}/{row['seeds']}" for row in rows]
    axes.bar_label(bars, counts, padding=2, fontsize=9)


def _legend(figure: Figure, axes: Axes) -> None:
    """Draw a legend below all panels, with the lines of a panel that has all of them."""
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)


def _of(table: Table, column: str, value: str) -> Table:
    return [row for row in table if row[column] == value]


def _groups(table: Table, *columns: str) -> Mapping[tuple[str, ...], Table]:
    """Group rows by their values in these columns."""
    groups: dict[tuple[str, ...], list[Mapping[str, str | int | float]]] = {}
    for row in table:
        groups.setdefault(tuple(str(row[column]) for column in columns), []).append(row)
    return groups


def _column(rows: Table, name: str) -> Sequence[float]:
    return [float(row[name]) for row in rows]
