"""The picture of a beam search shows the search that is served: its hypotheses, all that it dropped, and no node on another."""

from pathlib import Path

import pytest

from models.text.special import EOS
from pipelines.data.prepared import read_texts
from pipelines.studies.translation import tree
from serving.predictors.translation import Translator

BEAMS = 3


@pytest.fixture(scope="module")
def grown(bundles: dict[str, Path], prepared: dict[str, Path]) -> tree.Tree:
    return tree.grow(Translator.load(bundles["translation"]), read_texts(prepared["fr-en"], "test")["source"][0], BEAMS)


def test_the_finished_hypotheses_have_their_means_as_scores(grown: tree.Tree) -> None:
    assert len(grown.scores) == BEAMS
    assert [*grown.scores.values()] == sorted(grown.scores.values(), reverse=True)
    assert all(prefix[-1] == EOS for prefix in grown.scores)
    assert all(score * len(prefix) <= grown.sums[prefix[:-1]] + 1e-3 for prefix, score in grown.scores.items())


def test_every_hypothesis_continues_another_and_is_less_probable(grown: tree.Tree) -> None:
    sums = {**grown.sums, **{prefix: score * len(prefix) for prefix, score in grown.scores.items()}}
    assert all(sums[prefix] <= grown.sums[prefix[:-1]] + 1e-3 for prefix in sums if prefix)
    lengths = [len(prefix) for prefix in grown.sums]
    assert max(lengths.count(length) for length in {*lengths}) <= BEAMS


def test_a_node_is_the_best_translations_another_ones_or_dropped() -> None:
    sums = {(): 0.0, (4,): -0.5, (5,): -1.0, (6,): -2.0, (4, 7): -1.5}
    small = tree.Tree(sums, {(4, EOS): -0.5, (5, EOS): -0.75})
    assert [small.status(prefix) for prefix in ((), (4,), (5,), (6,), (4, 7))] == [
        "best",
        "best",
        "finished",
        "dropped",
        "dropped",
    ]
    assert small.children(()) == [(4,), (5,), (6,)]
    assert small.children((4,)) == [(4, EOS), (4, 7)]  # their sums are -1 and -1.5
    assert tree.places(small) == {(): 0, (4,): 0, (4, EOS): 0, (4, 7): 1, (5,): 2, (5, EOS): 2, (6,): 3}


def test_no_node_is_drawn_on_another(grown: tree.Tree) -> None:
    pieces = {prefix: str(prefix[-1]) for prefix in (*grown.sums, *grown.scores) if prefix}
    (axes,) = tree.draw_tree(grown, pieces, "a sentence").axes
    drawn = [text.get_position() for text in axes.texts]
    assert len(drawn) == len({*drawn}) == len(grown.sums) + len(grown.scores)
    rows = tree.tabulate(grown, pieces)
    assert {row["status"] for row in rows} >= {"best"}
    assert len(rows) == len(pieces)
