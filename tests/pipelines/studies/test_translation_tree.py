"""The picture of a beam search shows the search that is served: its hypotheses, all that it dropped, and no node on another."""

from math import inf
from pathlib import Path

import pytest
import shipped
import torch

from models.text.special import EOS
from models.text.subwords import SubwordTokenizer
from models.translation.graph import TranslatorGraph
from models.translation.translator import Translator
from pipelines.data.prepared import TOKENIZER, read_texts
from pipelines.kinds.translation.model import build
from pipelines.settings.params import Params
from pipelines.studies.translation import tree

BEAMS = 3


@pytest.fixture(scope="module")
def model(small_params: Params, prepared: dict[str, Path]) -> Translator:
    torch.manual_seed(0)
    return build(shipped.fr_en(small_params), prepared["fr-en"]).eval()


@pytest.fixture(scope="module")
def source(prepared: dict[str, Path]) -> list[int]:
    tokenizer = SubwordTokenizer.load(prepared["fr-en"] / TOKENIZER)
    return [*tokenizer.encode(read_texts(prepared["fr-en"], "test")["source"][0]), EOS]


@pytest.fixture(scope="module")
def grown(model: Translator, source: list[int]) -> tree.Tree:
    return tree.grow(model, source, BEAMS)


def test_the_finished_hypotheses_are_those_of_the_served_search(model: Translator, source: list[int], grown: tree.Tree) -> None:
    options = [torch.tensor([value]) for value in (1.0, 0.0, 0.0, 0, 0, BEAMS)]
    first = torch.tensor([0.0, -inf, -inf])
    with torch.no_grad():
        tokens, scores, _ = TranslatorGraph(model)(torch.tensor([source]), torch.tensor([len(source)]), first, *options)
    expected = {
        tuple(ids[: ids.index(EOS) + 1]): score for ids, score in zip(tokens[0].tolist(), scores[0].tolist(), strict=True)
    }
    assert list(grown.scores) == list(expected)
    assert [*grown.scores.values()] == pytest.approx([*expected.values()])


def test_every_hypothesis_continues_another_and_is_less_probable(grown: tree.Tree) -> None:
    sums = {**grown.sums, **{prefix: score * len(prefix) for prefix, score in grown.scores.items()}}
    assert all(sums[prefix] <= grown.sums[prefix[:-1]] for prefix in sums if prefix)
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
