"""Study `translation`, stage `tree`: draw one beam search, step by step. `python -m pipelines.studies.translation.tree TASK`.

The served graph contains the whole search and returns finished translations alone. Here the same steps run in torch, on the
weights of the task in float32, so that the hypotheses that the search drops can be seen too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from safetensors.torch import load_model
from torch import Tensor

from models.beam import Options, can_improve, found, start, step
from models.text.special import EOS
from models.text.subwords import SubwordTokenizer
from models.translation.graph import TranslatorGraph
from models.translation.translator import Translator
from pipelines.data.prepared import TOKENIZER
from pipelines.evaluation.findings import Report, Table
from pipelines.kinds.translation.model import build
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.paths import PLOTS, PREPARED, WEIGHTS
from pipelines.settings.params import load_params
from pipelines.stage import run_stage
from pipelines.tracking.runs import track

BEAMS = 3  # narrow enough to be drawn
COLUMN, ROW = 1.0, 0.5  # inches of a node
COLORS = {"best": "tab:blue", "finished": "tab:green", "dropped": "0.55"}

Prefix = tuple[int, ...]


@dataclass(frozen=True)
class Tree:
    """The hypotheses of a search.

    Attributes:
        sums: log-probability of every unfinished hypothesis that was in the beam, by its tokens. The empty one is the root.
        scores: mean log-probability per token of every finished hypothesis, EOS included, best first.
    """

    sums: Mapping[Prefix, float]
    scores: Mapping[Prefix, float]

    def children(self, prefix: Prefix) -> list[Prefix]:
        """Return the hypotheses with one more token, the most probable first."""
        longer = [known for known in (*self.sums, *self.scores) if known[:-1] == prefix != known]
        return sorted(longer, key=self._sum, reverse=True)

    def status(self, prefix: Prefix) -> str:
        """Return whether a hypothesis is part of the `best` translation, of another `finished` one, or was `dropped`."""
        ends = [known for known in self.scores if known[: len(prefix)] == prefix]
        return "dropped" if not ends else "best" if next(iter(self.scores)) in ends else "finished"

    def number(self, prefix: Prefix) -> float:
        """Return what is drawn below a hypothesis: its sum, or its score if it is finished."""
        return self.scores[prefix] if prefix in self.scores else self.sums[prefix]

    def _sum(self, prefix: Prefix) -> float:
        return self.scores[prefix] * len(prefix) if prefix in self.scores else self.sums[prefix]


@torch.no_grad()
def grow(model: Translator, source: Sequence[int], beams: int) -> Tree:
    """Search by the steps of `models.beam`, and keep every hypothesis that was in the beam.

    Args:
        model: in evaluation mode.
        source: ids, EOS at the end.
        beams: width K.
    """
    graph, limits = TranslatorGraph(model), torch.tensor([2 * len(source) + 10])
    memory, state = model.encode(torch.tensor([source]), torch.tensor([len(source)]))
    advance = model.decoder.stepper(memory, graph.maps)

    def decode(previous: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, state, weights = advance(model.decoder.embedding(previous), state)
        return torch.log_softmax(graph.logits(output), -1), state, weights

    first = torch.full((beams,), -inf)
    first[0] = 0.0
    sums: dict[Prefix, float] = {(): 0.0}
    beam, options = start(state, memory.mask, first, int(limits[0])), _options(beams)
    while bool(can_improve(beam, limits, options).any()):
        beam = step(decode, beam, limits, options)
        rows = zip(beam.tokens[0, :, : int(beam.length)].tolist(), beam.sums[0].tolist(), strict=True)
        sums |= {tuple(tokens): total for tokens, total in rows if isfinite(total)}
    tokens, scores, _ = found(beam)
    ended = zip(tokens[0].tolist(), scores[0].tolist(), strict=True)
    return Tree(sums, {tuple(ids[: ids.index(EOS) + 1]): score for ids, score in ended if isfinite(score)})


def _options(beams: int) -> Options:
    """Scores are means per token, nothing else is asked for, and the search ends when all K best hypotheses are known."""
    none = torch.tensor(0)
    return Options(torch.tensor(1.0), torch.tensor(0.0), torch.tensor(0.0), none, none, torch.tensor(beams))


def places(tree: Tree) -> dict[Prefix, int]:
    """Return the row of each hypothesis: the most probable child continues its parent's row, and others begin new rows."""
    rows: dict[Prefix, int] = {}

    def visit(prefix: Prefix, row: int) -> int:
        """Place a hypothesis and those that continue it; return the next free row."""
        rows[prefix], free = row, row
        for child in tree.children(prefix):
            free = visit(child, free)
        return max(free, row + 1)

    visit((), 0)
    return rows


def tabulate(tree: Tree, pieces: Mapping[Prefix, str]) -> Table:
    """Return a row for each hypothesis but the root."""
    return [
        {"text": text, "number": tree.number(prefix), "tokens": len(prefix), "status": tree.status(prefix)}
        for prefix, text in pieces.items()
    ]


def draw_tree(tree: Tree, pieces: Mapping[Prefix, str], title: str) -> Figure:
    """Draw the search from left to right: a column for each step, a node for each hypothesis.

    Args:
        tree: the hypotheses.
        pieces: the last subword of each.
        title: of the picture.
    """
    rows = places(tree)
    size = (COLUMN * (max(map(len, rows)) + 1), ROW * (max(rows.values()) + 1) + 1.0)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="step of the search")
    for prefix, row in rows.items():
        status = tree.status(prefix)
        if prefix:
            _edge(axes, prefix, rows, status)
        label = f"{pieces[prefix]}\n{tree.number(prefix):.2f}" if prefix else "<bos>"
        axes.text(
            len(prefix), row, label, color=COLORS[status], fontsize=10, ha="center", va="center",
            weight="bold" if prefix in tree.scores else "normal", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    for status, color in COLORS.items():
        axes.plot([], [], color=color, label={"best": "best translation", "finished": "other translations"}.get(status, status))
    axes.set(xlim=(-0.6, max(map(len, rows)) + 0.6), ylim=(max(rows.values()) + 0.7, -0.7))
    axes.set_xticks(range(max(map(len, rows)) + 1))
    axes.set_yticks([])
    axes.spines[["left", "top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(COLORS), frameon=False)
    return figure


def _edge(axes: Axes, prefix: Prefix, rows: Mapping[Prefix, int], status: str) -> None:
    """Draw the line from a hypothesis's parent."""
    x, y = len(prefix), rows[prefix]
    axes.plot([x - 1, x - 0.5, x], [rows[prefix[:-1]], y, y], color=COLORS[status], linewidth=1, zorder=0)


def _last_pieces(tree: Tree, tokenizer: SubwordTokenizer) -> Iterator[tuple[Prefix, str]]:
    for prefix in (*tree.sums, *tree.scores):
        if prefix:
            (piece,) = tokenizer.pieces(prefix[-1:])
            yield prefix, piece.replace("▁", "_")  # which is a heavy block in most fonts


def main(task: str) -> None:
    """Write plots/studies/translation/tree."""
    block, prepared = load_params().task_of(task, TranslationTask), PREPARED / task
    tokenizer, model = SubwordTokenizer.load(prepared / TOKENIZER), build(block, prepared)
    load_model(model, WEIGHTS / task / "model.safetensors")
    sentence = str(block.examples[0])
    with track("tree", task) as run:
        tree = grow(model.eval(), [*tokenizer.encode(sentence), EOS], BEAMS)
        pieces = dict(_last_pieces(tree, tokenizer))
        report = Report({}, {"tree.csv": tabulate(tree, pieces)}, {"tree.png": draw_tree(tree, pieces, sentence)})
        report.write_plots(PLOTS / "studies" / "translation" / "tree")
        run.artifacts(PLOTS / "studies" / "translation" / "tree")


if __name__ == "__main__":
    run_stage(main)
