"""GloVe: the module equals equations 8 and 9, the kernel equals AdaGrad on it, and training clusters classes of words."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from stopping import Stopping

from models.embeddings.cooccurrence import Cooccurrences
from models.embeddings.glove import CHUNK, GloVe, GloVeSettings, interleave, shuffled_chunks, train_glove
from models.embeddings.glove_kernel import CONTEXT, VECTOR, WORD, glove_kernel, initial_parameters
from models.embeddings.passes import NO_KEEPER

SETTINGS = GloVeSettings(dimension=8, epochs=40, learning_rate=0.05, x_max=10.0, alpha=0.75)
V = 40


def random_pairs(vocabulary_size: int = V) -> Cooccurrences:
    """Words of two classes, even and odd; words of the same class co-occur more often."""
    rows, columns = np.tril_indices(vocabulary_size)
    noise = np.random.default_rng(0).uniform(0.5, 2, len(rows))
    weights = noise * np.where((rows - columns) % 2 == 0, 20.0, 1.0)
    return Cooccurrences(rows.astype(np.int32), columns.astype(np.int32), weights.astype(np.float32))


def module_of(parameters: np.ndarray, dimension: int) -> GloVe:
    """The module with the kernel's parameters."""
    module = GloVe(len(parameters), dimension, x_max=SETTINGS.x_max, alpha=SETTINGS.alpha)
    word, context = torch.tensor(parameters[:, WORD, VECTOR]), torch.tensor(parameters[:, CONTEXT, VECTOR])
    module.word.weight.data, module.word_bias.weight.data = word[:, :dimension], word[:, dimension, None]
    module.context.weight.data, module.context_bias.weight.data = context[:, :dimension], context[:, dimension + 1, None]
    return module


def test_the_module_equals_equations_8_and_9() -> None:
    module = module_of(initial_parameters(V, 3, np.random.default_rng(0)), 3)
    values = {name: parameter.detach().double().numpy() for name, parameter in module.named_parameters()}
    w, b = values["word.weight"], values["word_bias.weight"][:, 0]
    context, context_bias = values["context.weight"], values["context_bias.weight"][:, 0]
    expected = 0.0
    for i, j, x in [(0, 1, 0.5), (3, 3, 5.0), (7, 2, 400.0)]:
        f = min(1, (x / 10) ** 0.75)
        expected += f * (w[i] @ context[j] + b[i] + context_bias[j] - np.log(x)) ** 2 / 2
    loss = module(torch.tensor([0, 3, 7]), torch.tensor([1, 3, 2]), torch.tensor([0.5, 5.0, 400.0]))
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dimension", [1, 5, 14, 100])
def test_a_kernel_step_equals_adagrad_on_the_module(dimension: int) -> None:
    generator = np.random.default_rng(0)
    parameters, rate = initial_parameters(V, dimension, generator), 0.3  # high, so that the sums of squares matter
    module = module_of(parameters, dimension)
    adagrad = torch.optim.Adagrad(module.parameters(), lr=1, initial_accumulator_value=1 / rate**2, eps=0)
    rows, columns = generator.integers(0, V, (2, 300), dtype=np.int32)
    rows[:9] = columns[:9]
    counts = generator.uniform(0.1, 40, 300).astype(np.float32)
    importances = np.minimum((counts / SETTINGS.x_max) ** SETTINGS.alpha, 1)

    loss = 0.0
    for i, j, count in zip(rows, columns, counts, strict=True):
        for pair in [(i, j), (j, i)] if i != j else [(i, j)]:
            adagrad.zero_grad()
            entry = module(torch.tensor([pair[0]]), torch.tensor([pair[1]]), torch.tensor([count]))
            entry.backward()
            adagrad.step()
            loss += float(entry.detach())
    assert glove_kernel(dimension)(parameters, rows, columns, np.log(counts), importances, rate) == pytest.approx(loss, rel=1e-4)

    stepped = module_of(parameters, dimension)
    for (name, ours), theirs in zip(stepped.named_parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, msg=partial("{}: {}".format, name))
    padding = parameters[:, :, VECTOR, dimension + 2 :]
    assert (parameters[:, WORD, VECTOR, dimension + 1] == 1).all()
    assert (parameters[:, CONTEXT, VECTOR, dimension] == 1).all()
    assert (padding == 0).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_training_lowers_the_objective_and_clusters_the_classes(threads: int) -> None:
    pairs, losses = random_pairs(), list[float]()
    trained = train_glove(pairs, V, SETTINGS, threads=threads, seed=1, progress=lambda _, loss: losses.append(loss))
    assert len(losses) == SETTINGS.epochs
    assert losses[-1] < losses[0] / 10
    unit = trained / np.linalg.norm(trained, axis=1, keepdims=True)
    cosines, alike = unit @ unit.T, np.equal.outer(np.arange(V) % 2, np.arange(V) % 2)
    assert cosines[alike].mean() > cosines[~alike].mean() + 0.5


def test_one_thread_is_reproducible_and_seeds_differ() -> None:
    first, again, other = (train_glove(random_pairs(), V, SETTINGS, threads=1, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_resumed_training_equals_an_uninterrupted_one() -> None:
    keeper = Stopping()
    with pytest.raises(InterruptedError):
        train_glove(random_pairs(), V, SETTINGS, threads=1, seed=1, keeper=keeper)
    resumed, undisturbed = (train_glove(random_pairs(), V, SETTINGS, threads=1, seed=1, keeper=k) for k in (keeper, NO_KEEPER))
    np.testing.assert_array_equal(resumed, undisturbed)


@pytest.mark.parametrize("pairs", [1, CHUNK, CHUNK + 1, 200 * CHUNK + 7])
def test_an_epoch_visits_each_pair_once_in_its_own_order(pairs: int) -> None:
    generator = np.random.default_rng(0)
    first, second = (np.concatenate([interleave(c, pairs) for c in shuffled_chunks(pairs, generator)]) for _ in range(2))
    np.testing.assert_array_equal(np.sort(first), np.arange(pairs))
    np.testing.assert_array_equal(np.sort(second), np.arange(pairs))
    assert pairs <= CHUNK + 1 or not np.array_equal(first, second)


def test_progress_counts_every_pair_of_every_epoch() -> None:
    pairs, done = random_pairs(800), list[int]()  # 320,400: several blocks
    train_glove(pairs, 800, replace(SETTINGS, epochs=3), threads=2, seed=0, progress=lambda count, _: done.append(count))
    assert len(done) > 3
    assert sum(done) == 3 * len(pairs)


@pytest.mark.parametrize(
    ("row", "column", "weight", "message"),
    [
        (V, 0, 1.0, "do not fit"),
        (1, -1, 1.0, "do not fit"),
        (1, 0, 0.0, "positive"),
        (1, 0, np.nan, "positive"),
        (1, 0, np.inf, "positive"),
    ],
)
def test_bad_pairs_are_errors(row: int, column: int, weight: float, message: str) -> None:
    pairs = Cooccurrences(np.array([0, row], np.int32), np.array([0, column], np.int32), np.array([1, weight], np.float32))
    with pytest.raises(ValueError, match=message):
        train_glove(pairs, V, SETTINGS, threads=1, seed=0)


def test_diverged_vectors_are_an_error() -> None:
    with pytest.raises(FloatingPointError, match="learning rate is too high"):
        train_glove(random_pairs(), V, replace(SETTINGS, learning_rate=1e38), threads=1, seed=0)


def test_no_pairs_are_an_error() -> None:
    nothing = Cooccurrences(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))
    with pytest.raises(ValueError, match="GloVe has no training data"):
        train_glove(nothing, V, SETTINGS, threads=1, seed=0)
