"""The adaptive softmax is a distribution, and its fused loss equals the cross-entropy, including gradients."""

import pytest
import torch
from torch.nn import functional

from models.embeddings.adaptive_softmax import AdaptiveSoftmax

SIZE, V = 8, 20


def make(*cutoffs: int) -> AdaptiveSoftmax:
    torch.manual_seed(0)
    return AdaptiveSoftmax(SIZE, V, cutoffs).double()


@pytest.mark.parametrize("cutoffs", [(), (5,), (5, 9), (1, 2, 19)])
def test_probabilities_of_all_words_sum_to_one(cutoffs: tuple[int, ...]) -> None:
    x = torch.randn(1, SIZE, dtype=torch.float64)
    log_probability = make(*cutoffs).log_probability(x.expand(V, -1), torch.arange(V))
    assert float(log_probability.detach().exp().sum()) == pytest.approx(1)


def test_without_cutoffs_it_equals_the_full_softmax() -> None:
    softmax, x, words = make(), torch.randn(6, SIZE, dtype=torch.float64), torch.randint(V, (6,))
    expected = functional.cross_entropy(softmax.head(x), words, reduction="sum")
    torch.testing.assert_close(softmax(x, words).total, expected)


@pytest.mark.parametrize("words", [torch.arange(V), torch.tensor([0, 4, 0]), torch.tensor([19])])
def test_the_loss_equals_that_of_the_probabilities(words: torch.Tensor) -> None:
    softmax = make(5, 9)
    x = torch.randn(len(words), SIZE, dtype=torch.float64, requires_grad=True)
    total, units = softmax(x, words)
    expected = -softmax.log_probability(x, words).sum()
    torch.testing.assert_close(total, expected)
    assert units == len(words)
    inputs = [x, *softmax.parameters()]
    ours = torch.autograd.grad(total, inputs)
    theirs = torch.autograd.grad(expected, inputs, materialize_grads=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=0)


@pytest.mark.parametrize("cutoffs", [(), (5,), (5, 9)])
def test_it_can_start_from_the_word_frequencies(cutoffs: tuple[int, ...]) -> None:
    softmax, counts = make(*cutoffs), torch.arange(V, 0, -1)
    softmax.begin_at(counts)
    nothing = torch.zeros(V, SIZE, dtype=torch.float64)
    torch.testing.assert_close(softmax.log_probability(nothing, torch.arange(V)).exp(), counts / counts.sum().double())
