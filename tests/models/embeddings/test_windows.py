"""One window of the CPU kernel equals one gradient descent step of the torch module."""

from typing import Any

import numpy as np
import pytest
import torch

from models.cpu.compiled import compiled
from models.cpu.lanes import LANES
from models.embeddings.bags import Bags
from models.embeddings.cbow import CBOW
from models.embeddings.fasttext import FastText
from models.embeddings.hierarchical_softmax import HierarchicalSoftmax
from models.embeddings.huffman import huffman_paths
from models.embeddings.kernels import PARTS, Method, Objective
from models.embeddings.negative_sampling import NegativeSampling
from models.embeddings.sampling import alias_table
from models.embeddings.skip_gram import SkipGram
from models.embeddings.step import BLOCK
from models.embeddings.workspace import (
    Model,
    Noise,
    Outputs,
    Shape,
    Workspace,
    aligned_zeros,
    new_inputs,
    new_outputs,
    new_windows,
    padded,
)

V, D, RATE = 7, 21, 0.1
COUNTS = np.array([9, 7, 5, 4, 3, 2, 1])
MANY = 10_000  # words, so many that the noise words of a window are distinct
WINDOW = [3, 1, 4, 0, 3, 0, 6]  # around the centre, word 0: one word twice, and word 0 itself
CENTRE = 3
BAGS = Bags(np.array([0, 3, 5, 6, 9, 12, 15, 18]), np.array([0, 8, 9, 1, 7, 2, 3, 7, 7, 4, 10, 9, 5, 7, 8, 6, 10, 7], np.int32))
BUCKETS = 4


def random_matrix(rows: int, seed: int) -> Any:
    matrix = aligned_zeros(rows * padded(D)).reshape(rows, padded(D))
    matrix[:, :D] = np.random.default_rng(seed).normal(size=(rows, D))
    return matrix


def learn_window(
    method: Method, objective: Objective, tables: Any, x: Any, y: Any, words: list[int], centre: int, block: int
) -> Outputs:
    """Apply the kernel to one window."""
    add_inputs, add_outputs, learn = PARTS[method, objective]

    @compiled
    def run(space: Any, i: int, rate: Any) -> None:
        last = add_inputs(space, 0, i)
        learn(space, 0, last, 0, add_outputs(space, 0, i, rate))

    windows = new_windows(np.zeros(V, np.uint32), len(words))
    windows.kept[: len(words)], windows.first[centre], windows.last[centre] = words, 0, len(words)
    inputs, outputs = new_inputs(20, 10, padded(D)), new_outputs(30, 10, block)
    shape = Shape((0,) * (padded(D) // LANES), (0,) * block)
    model, bags, state = Model(x.reshape(-1), y.reshape(-1)), BAGS if method == "fasttext" else None, np.array([5], np.uint64)
    run(Workspace(model, tables, bags, windows, inputs, outputs, state, shape), centre, np.float32(RATE))
    return outputs


def written(outputs: Outputs, start: int, count: int, block: int) -> torch.Tensor:
    """The words of some outputs of a window."""
    return torch.tensor([outputs.words[n // block * BLOCK + n % block] for n in range(start, start + count)]).long()


def descend(module: torch.nn.Module, x: Any, y: Any, table: torch.Tensor, *arguments: torch.Tensor) -> tuple[Any, Any]:
    """Both matrices after a step of the module in double precision."""
    module.double()
    objective: Any = module.objective
    with torch.no_grad():
        table.copy_(torch.from_numpy(x[:, :D]))
        objective.outputs.weight.copy_(torch.from_numpy(y[: len(objective.outputs.weight), :D]))
    module(*arguments).backward()
    torch.optim.SGD(module.parameters(), RATE).step()
    return table.detach().numpy(), objective.outputs.weight.detach().numpy()


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual[: len(expected), :D], expected, rtol=1e-5, atol=2e-6)
    assert not actual[:, D:].any()  # the padding stays zero


@pytest.mark.parametrize("words", [WINDOW, WINDOW[2:5]])
def test_skip_gram_with_negative_sampling(words: list[int]) -> None:
    x, y, centre = random_matrix(V, 1), random_matrix(V, 2), words.index(0)
    before, noise = (x.copy(), y.copy()), Noise(5, alias_table(COUNTS / COUNTS.sum()))
    outputs = learn_window("skip_gram", "negative_sampling", noise, x, y, words, centre, 6)
    module = SkipGram(V, D, NegativeSampling(V, D, 5))
    contexts = torch.tensor(words[:centre] + words[centre + 1 :])
    centres, drawn = torch.full_like(contexts, words[centre]), written(outputs, 1, 5, 6)
    expected = descend(module, *before, module.inputs.weight, contexts, centres, drawn)
    close(x, expected[0])
    close(y, expected[1])


def test_skip_gram_with_two_blocks_of_noise() -> None:
    x, y = random_matrix(MANY, 1), random_matrix(MANY, 2)
    before, noise = (x.copy(), y.copy()), Noise(10, alias_table(np.full(MANY, 1 / MANY)))
    drawn = written(learn_window("skip_gram", "negative_sampling", noise, x, y, WINDOW, CENTRE, 6), 1, 10, 6)
    assert len(set(drawn.tolist())) == 10
    module = SkipGram(MANY, D, NegativeSampling(MANY, D, 10))
    contexts = torch.tensor(WINDOW[:CENTRE] + WINDOW[CENTRE + 1 :])
    expected = descend(module, *before, module.inputs.weight, contexts, torch.full_like(contexts, WINDOW[CENTRE]), drawn)
    close(x, expected[0])
    close(y, expected[1])


def test_skip_gram_with_hierarchical_softmax() -> None:
    x, y = random_matrix(V, 1), random_matrix(V, 2)
    before, paths = (x.copy(), y.copy()), huffman_paths(COUNTS)
    learn_window("skip_gram", "hierarchical_softmax", paths, x, y, WINDOW, CENTRE, 4)
    module = SkipGram(V, D, HierarchicalSoftmax(paths, D))
    contexts = torch.tensor(WINDOW[:CENTRE] + WINDOW[CENTRE + 1 :])
    expected = descend(module, *before, module.inputs.weight, contexts, torch.full_like(contexts, WINDOW[CENTRE]))
    close(x, expected[0])
    close(y, expected[1])


def test_cbow_with_negative_sampling() -> None:
    x, y = random_matrix(V, 1), random_matrix(V, 2)
    before, noise = (x.copy(), y.copy()), Noise(5, alias_table(COUNTS / COUNTS.sum()))
    outputs = learn_window("cbow", "negative_sampling", noise, x, y, WINDOW, CENTRE, 6)
    module = CBOW(V, D, NegativeSampling(V, D, 5))
    contexts, centre = torch.tensor(WINDOW[:CENTRE] + WINDOW[CENTRE + 1 :]), torch.tensor([WINDOW[CENTRE]])
    expected = descend(
        module, *before, module.inputs.vectors.weight, contexts, torch.tensor([0]), centre, written(outputs, 1, 5, 6)
    )
    close(x, expected[0])
    close(y, expected[1])


def test_cbow_with_hierarchical_softmax() -> None:
    x, y = random_matrix(V, 1), random_matrix(V, 2)
    before, paths = (x.copy(), y.copy()), huffman_paths(COUNTS)
    learn_window("cbow", "hierarchical_softmax", paths, x, y, WINDOW, CENTRE, 4)
    module = CBOW(V, D, HierarchicalSoftmax(paths, D))
    contexts, centre = torch.tensor(WINDOW[:CENTRE] + WINDOW[CENTRE + 1 :]), torch.tensor([WINDOW[CENTRE]])
    expected = descend(module, *before, module.inputs.vectors.weight, contexts, torch.tensor([0]), centre)
    close(x, expected[0])
    close(y, expected[1])


@pytest.mark.parametrize(
    ("words", "negatives", "noise", "block"),
    [([4, 0, 3, 4], 5, COUNTS / COUNTS.sum(), 8), ([3, 1, 4, 0, 2], 1, np.eye(V)[6], 4)],
    ids=["noise among the contexts", "two blocks"],
)
def test_fasttext(words: list[int], negatives: int, noise: Any, block: int) -> None:
    x, y, centre = random_matrix(V + BUCKETS, 1), random_matrix(V, 2), words.index(0)
    before, tables = (x.copy(), y.copy()), Noise(negatives, alias_table(noise))
    outputs = learn_window("fasttext", "negative_sampling", tables, x, y, words, centre, block)
    module = FastText(BAGS, BUCKETS, D, NegativeSampling(V, D, negatives))
    contexts = torch.tensor(words[:centre] + words[centre + 1 :])
    centres, drawn = torch.full_like(contexts, words[centre]), written(outputs, len(contexts), negatives, block)
    expected = descend(module, *before, module.inputs.vectors.weight, centres, contexts, drawn)
    close(x, expected[0])
    close(y, expected[1])
