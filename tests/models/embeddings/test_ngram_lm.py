"""Bengio's model equals the paper's equation, does not see the predicted word, and learns."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.embeddings.adaptive_softmax import AdaptiveSoftmax
from models.embeddings.ngram_lm import ROWS_AT_ONCE, NgramLM
from models.embeddings.tied_softmax import TiedSoftmax

V, N, M, H = 23, 4, 5, 7  # |V|, n, m, h


def make(*, direct: bool = True, dropout: float = 0.0, cutoffs: tuple[int, ...] = ()) -> NgramLM:
    torch.manual_seed(0)
    return NgramLM(vocabulary_size=V, order=N, embedding_size=M, hidden_size=H, direct=direct, dropout=dropout, cutoffs=cutoffs)


def logits(model: NgramLM, context: torch.Tensor) -> torch.Tensor:
    assert isinstance(model.output, AdaptiveSoftmax)
    scores: torch.Tensor = model.output.head(model.features(context))
    return scores


@pytest.mark.parametrize("direct", [False, True])
def test_logits_equal_equation_1(direct: bool) -> None:
    model = make(direct=direct, dropout=0.5).eval()
    words = {name: weight.detach().numpy().astype(np.float64) for name, weight in model.named_parameters()}
    context = np.array([3, 1, 4])
    x = np.concatenate([words["embedding.weight"][i] for i in context])
    hidden = np.tanh(words["hidden.bias"] + words["hidden.weight"] @ x)
    y = words["output.head.bias"] + words["output.head.weight"][:, :H] @ hidden
    if direct:
        y += words["output.head.weight"][:, H:] @ x
    np.testing.assert_allclose(logits(model, torch.from_numpy(context)[None])[0].detach().numpy(), y, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("direct", [False, True])
def test_tied_input_and_output_share_one_table(direct: bool) -> None:
    torch.manual_seed(0)
    model = NgramLM(vocabulary_size=V, order=N, embedding_size=M, hidden_size=H, direct=direct, dropout=0.0, tied=True)
    context, word = torch.randint(V, (6, N - 1)), torch.randint(V, (6,))
    features, table = model.features(context), model.embedding.weight
    assert isinstance(model.output, TiedSoftmax)
    logits = features @ model.output.projection.weight.T @ table.T + model.output.bias
    total, _ = model.output(features, word)
    torch.testing.assert_close(total, functional.cross_entropy(logits, word, reduction="sum"))
    single = -functional.cross_entropy(logits, word, reduction="none")
    torch.testing.assert_close(model.output.log_probability(features, word), single)
    total.backward()
    assert table.grad is not None
    counts = torch.arange(V, 0, -1)
    model.output.begin_at(counts)
    frequencies = model.output.log_probability(torch.zeros(V, features.shape[1]), torch.arange(V)).exp()
    torch.testing.assert_close(frequencies, counts / counts.sum())
    assert (table.grad.abs().sum(1) > 0).all()  # a word that occurs in no context is trained as a prediction
    with pytest.raises(ValueError, match="cannot be combined"):
        NgramLM(vocabulary_size=V, order=N, embedding_size=M, hidden_size=H, direct=direct, dropout=0.0, tied=True, cutoffs=(5,))


def test_direct_connections_are_the_only_difference() -> None:
    sizes = [sum(weight.numel() for weight in make(direct=direct).parameters()) for direct in (False, True)]
    assert sizes[0] == V * M + H * (N - 1) * M + H + V * H + V  # C, H, d, U, b
    assert sizes[1] - sizes[0] == V * (N - 1) * M  # W


def test_the_loss_is_the_cross_entropy_of_words_with_a_full_context() -> None:
    model = make()
    words, lengths = torch.randint(V, (3, 9)), torch.tensor([9, N, 6])
    total, units = model(words, lengths)
    rows = [(row[t - N + 1 : t], row[t]) for row, length in zip(words, lengths, strict=True) for t in range(N - 1, int(length))]
    scores = logits(model, torch.stack([context for context, _ in rows]))
    targets = torch.stack([word for _, word in rows])
    assert units == len(rows) == (9 - 3) + 1 + (6 - 3)
    torch.testing.assert_close(total, functional.cross_entropy(scores, targets, reduction="sum"))
    single = -functional.cross_entropy(scores, targets, reduction="none")
    torch.testing.assert_close(model.log_probability(words, lengths), single.detach())


def test_probabilities_of_many_rows_equal_those_of_each() -> None:
    model = make()
    words = torch.randint(V, (2, ROWS_AT_ONCE))
    together = model.log_probability(words, torch.tensor([ROWS_AT_ONCE] * 2))
    alone = [model.log_probability(row[None], torch.tensor([ROWS_AT_ONCE])) for row in words]
    torch.testing.assert_close(together, torch.cat(alone))
    total, units = model(words, torch.tensor([ROWS_AT_ONCE] * 2))
    assert float(total) == pytest.approx(-float(together.sum()), rel=1e-5)
    assert units == len(together)


@pytest.mark.parametrize("cutoffs", [(), (5, 11)])
def test_a_word_is_predicted_only_from_the_previous_words(cutoffs: tuple[int, ...]) -> None:
    model = make(cutoffs=cutoffs).double().eval()  # the last digit of a matrix product depends on a row's position
    words, t, length = torch.randint(V, (1, 12)), 7, torch.tensor([12])
    others = words.repeat(V, 1)
    others[:, t] = torch.arange(V)
    answers = model.log_probability(others, length.repeat(V)).view(V, -1)
    of_t = t - N + 1
    same = partial(torch.testing.assert_close, rtol=1e-12, atol=0)
    same(answers[:, :of_t], answers[:1, :of_t].expand(V, -1))  # later words have no effect
    assert float(answers[:, of_t].exp().sum()) == pytest.approx(1, abs=1e-5)  # all words at t under the same distribution
    assert (answers[:, of_t + 1 : of_t + N].std(0) > 1e-6).all()  # the next n - 1 words depend on it
    same(answers[:, of_t + N :], answers[:1, of_t + N :].expand(V, -1))  # and later ones do not


@pytest.mark.parametrize("direct", [False, True])
def test_overfits_one_batch(direct: bool) -> None:
    model = make(direct=direct)
    words, lengths = torch.arange(20).reshape(4, 5), torch.tensor([5, 5, 5, 4])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
    for _ in range(100):
        optimizer.zero_grad()
        total, units = model(words, lengths)
        (total / units).backward()
        optimizer.step()
    assert float(total.detach()) / units < 0.05


def test_dropout_acts_only_in_training() -> None:
    model = make(dropout=0.5)
    context = torch.randint(V, (1, N - 1))
    assert not torch.equal(logits(model, context), logits(model, context))
    model.eval()
    assert torch.equal(logits(model, context), logits(model, context))
