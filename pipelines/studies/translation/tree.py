"""Study `translation`, stage `tree`: draw one beam search, step by step. `python -m pipelines.studies.translation.tree TASK`.

It is the search of the exported graph, with the hypotheses that it drops.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.text.special import EOS
from models.text.subwords import SubwordTokenizer
from pipelines.evaluation.findings import Report, Table
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.paths import BUNDLES, PLOTS
from pipelines.settings.params import load_params
from pipelines.stage import run_stage
from pipelines.tracking.runs import track
from serving.predictors.search import Prefix
from serving.predictors.translation import Translator

BEAMS = 3  # narrow enough to be drawn
COLUMN, ROW = 1.0, 0.5  # inches of a node
PLAIN = {  # scores are means per token, and nothing else is asked for
    "length_normalization": "length",
    "length_penalty": 1.0,
    "coverage_penalty": 0.0,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
}
COLORS = {"best": "tab:blue", "finished": "tab:green", "dropped": "0.55"}


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


def grow(translator: Translator, sentence: str, beams: int) -> Tree:
    """Return the search for one sentence, with scores that are means per token.

    Args:
        translator: of an exported bundle.
        sentence: a single one.
        beams: width K.
    """
    decoding = translator.decoding.model_copy(update=PLAIN | {"num_beams": beams})
    (candidates,) = translator.translate([sentence], decoding, n_best=beams, tree=True)
    nodes = candidates[0].sentences[0].search or []
    found = {node.rank: node.prefix for node in nodes if node.rank is not None}
    sums = {node.prefix: node.log_probability for node in nodes if node.prefix[-1] != EOS}
    return Tree({(): 0.0, **sums}, {found[rank]: candidate.score for rank, candidate in enumerate(candidates)})


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
    sentence = str(load_params().task_of(task, TranslationTask).examples[0])
    translator = Translator.load(BUNDLES / task)
    with track("tree", task) as run:
        tree = grow(translator, sentence, BEAMS)
        pieces = dict(_last_pieces(tree, translator.tokenizer))
        report = Report({}, {"tree.csv": tabulate(tree, pieces)}, {"tree.png": draw_tree(tree, pieces, sentence)})
        report.write_plots(PLOTS / "studies" / "translation" / "tree")
        run.artifacts(PLOTS / "studies" / "translation" / "tree")


if __name__ == "__main__":
    run_stage(main)
