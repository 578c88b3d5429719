"""A lineage as a picture: boxes from left to right, each to the right of what it was made from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten, wrap
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from pipelines.lineage.graph import Graph, Kind, Node
from pipelines.lineage.tree import shown

COLORS: Final[Mapping[Kind, str]] = {
    "row": "#fff3bf",
    "set": "#fff3bf",
    "data": "#ffe8cc",
    "commit": "#e9ecef",
    "dvc.lock": "#e9ecef",
    "build": "#d0ebff",
    "run": "#d0ebff",
    "model": "#d3f9d8",
    "answer": "#f3d9fa",
}
WIDTH, GAP = 2.5, 0.7  # inches: of a box, and between two columns
LINE, PADDING, SPACE = 0.16, 0.18, 0.22  # inches: height of a line, of a box's margins, between two boxes
CHARACTERS: Final = 34  # in a line of a box
LINES: Final = 4  # of facts in a box
MARGIN: Final = 0.15  # inches around the picture
DPI: Final = 120

Place = tuple[float, float]


def draw(graph: Graph, path: Path) -> None:
    """Write a picture; the format is that of the path's suffix.

    Raises:
        ValueError: the format is unknown.
        OSError: the file cannot be written.
    """
    texts = {node.id: _text(node) for node in graph.nodes}
    columns = _columns(graph)
    heights = [sum(_height(texts[node.id]) + SPACE for node in column) - SPACE for column in columns]
    width, height = len(columns) * (WIDTH + GAP) - GAP, max(heights)
    figure = Figure(figsize=(width + 2 * MARGIN, height + 2 * MARGIN), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-MARGIN, width + MARGIN), ylim=(-MARGIN, height + MARGIN))
    axes.set_axis_off()
    places = dict[str, Place]()
    for i, (column, own) in enumerate(zip(columns, heights, strict=True)):
        top = (height + own) / 2
        for node in column:
            size = _height(texts[node.id])
            places[node.id] = (i * (WIDTH + GAP), top - size / 2)
            _draw_box(axes, node, texts[node.id], places[node.id], is_root=node.id == graph.root)
            top -= size + SPACE
    for edge in graph.edges:
        _draw_arrow(axes, places[edge.cause], places[edge.effect])
    figure.savefig(path)


def _columns(graph: Graph) -> list[list[Node]]:
    """The nodes by their distance to the furthest thing that they led to, the furthest first."""
    steps = dict[str, int]()

    def measure(node: Node) -> int:
        if node.id not in steps:
            steps[node.id] = max((measure(effect) + 1 for effect in graph.effects(node)), default=0)
        return steps[node.id]

    most = max(map(measure, graph.nodes))
    for node in graph.nodes:  # the last in a chain follows its causes, also if other chains are longer
        if not steps[node.id] and (before := [steps[cause.id] for cause in graph.causes(node)]):
            steps[node.id] = min(before) - 1
    columns = [[node for node in graph.nodes if steps[node.id] == step] for step in range(most, -1, -1)]
    return _untangled(graph, columns)


def _untangled(graph: Graph, columns: list[list[Node]]) -> list[list[Node]]:
    """The columns with each node at the height of what it led to, from right to left, so that fewer arrows cross."""
    for before, after in zip(columns[-2::-1], columns[:0:-1], strict=True):
        heights = {node.id: i for i, node in enumerate(after)}
        reached = {node.id: [heights[one.id] for one in graph.effects(node) if one.id in heights] for node in before}
        before.sort(key=lambda node: sum(reached[node.id]) / max(len(reached[node.id]), 1))
    return columns


def _text(node: Node) -> list[str]:
    facts = [f"{name}: {shown(value)}" for name, value in node.facts.items()]
    lines = [line for fact in facts for line in wrap(shorten(fact, 2 * CHARACTERS, placeholder=" ..."), CHARACTERS)]
    return [*wrap(f"{node.kind} {node.title}", CHARACTERS), *lines[:LINES]]


def _height(lines: Sequence[str]) -> float:
    return len(lines) * LINE + PADDING


def _draw_box(axes: Axes, node: Node, lines: Sequence[str], place: Place, *, is_root: bool) -> None:
    (left, middle), height = place, _height(lines)
    bottom = middle - height / 2
    style, edge = "round,pad=0,rounding_size=0.06", ("#212529", 2.0) if is_root else ("#868e96", 0.8)
    box = FancyBboxPatch(
        (left, bottom), WIDTH, height, boxstyle=style, facecolor=COLORS[node.kind], edgecolor=edge[0], linewidth=edge[1]
    )
    axes.add_patch(box)
    top = bottom + height - PADDING / 2
    for i, line in enumerate(lines):
        weight = "bold" if i == 0 else "normal"
        axes.text(left + 0.08, top - i * LINE, line, va="top", fontsize=8, fontweight=weight, parse_math=False)


def _draw_arrow(axes: Axes, cause: Place, effect: Place) -> None:
    axes.annotate(
        "",
        xy=effect,
        xytext=(cause[0] + WIDTH, cause[1]),
        arrowprops={"arrowstyle": "-|>", "color": "#868e96", "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0},
        zorder=0,
    )
