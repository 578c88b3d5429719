# %% [markdown]
# # Backpropagation through time
#
# **Question.** How does a recurrent network learn from what happened $T$ steps ago, and why does this get harder as $T$ grows?
#
# We write the network and its gradient by hand in NumPy, check the gradient against autograd, see how it vanishes
# and explodes, and train the network to remember the first symbol of a sequence.

# %%
"""Backpropagation through time by hand: the gradient, how it vanishes and explodes, and clipping."""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Weights = dict[str, Array]

CLASSES, V = "abcd", 8  # the symbol to remember is one of a-d, the following ones are any of a-h
LETTERS = "abcdefgh"
GAINS = (0.7, 1.0)  # initial singular values of U
EXPECTED = (0.9, 1.0)  # accuracy at the default --steps, for initial singular values of 1

# %% [markdown]
# ## The network
#
# The input at step $t$ is a one-hot vector $x_t \in \mathbb{R}^V$, the state is $h_t \in \mathbb{R}^H$, and there is
# one output at the end:
#
# $$h_t = \tanh(W x_t + U h_{t-1} + b), \qquad y = V_o h_T + c, \qquad L = -\log \mathrm{softmax}(y)_k$$
#
# The **same** $W$, $U$, $b$ are used at every step. For a one-hot $x_t$, $W x_t$ is a column of $W$, so we store $W^\top$ and
# pick rows.


# %%
def initial_weights(H: int, rng: np.random.Generator, gain: float = 1.0) -> Weights:
    """Small random weights. U is `gain` times an orthogonal matrix: all its singular values are `gain`."""
    orthogonal, _ = np.linalg.qr(rng.normal(size=(H, H)))
    return {
        "W": rng.normal(size=(V, H)) / np.sqrt(V),  # W^T: row i belongs to symbol i
        "U": gain * orthogonal,
        "b": np.zeros(H),
        "V_o": rng.normal(size=(len(CLASSES), H)) / np.sqrt(H),
        "c": np.zeros(len(CLASSES)),
    }


def forward(weights: Weights, x: Ids) -> tuple[Array, Array]:
    """Run the network over symbols x [B, T]: all states h_0 .. h_T [T + 1, B, H], and the scores y [B, classes]."""
    B, T = x.shape
    h = np.zeros((T + 1, B, len(weights["b"])))  # h_0 = 0
    for t in range(T):
        h[t + 1] = np.tanh(weights["W"][x[:, t]] + h[t] @ weights["U"].T + weights["b"])
    return h, h[T] @ weights["V_o"].T + weights["c"]


def softmax(y: Array) -> Array:
    """Row by row. Subtracting the largest score does not change the result, but keeps exp from overflowing."""
    e = np.exp(y - y.max(1, keepdims=True))
    probabilities: Array = e / e.sum(1, keepdims=True)
    return probabilities


# %% [markdown]
# ## The gradient
#
# Write $\delta_t = \partial L / \partial h_t$. At the last step it comes from the output alone; before that, only through
# the next state:
#
# $$\frac{\partial L}{\partial y} = \mathrm{softmax}(y) - \mathrm{onehot}(k), \qquad
#   \delta_T = V_o^\top \frac{\partial L}{\partial y}, \qquad
#   \delta_{t-1} = U^\top \big( (1 - h_t^2) * \delta_t \big)$$
#
# Because the weights are shared, **each step adds its own term** to the gradient of the same matrices:
#
# $$\frac{\partial L}{\partial U} = \sum_t \big( (1 - h_t^2) * \delta_t \big)\, h_{t-1}^\top, \qquad
#   \frac{\partial L}{\partial W} = \sum_t \big( (1 - h_t^2) * \delta_t \big)\, x_t^\top$$


# %%
def backward(weights: Weights, x: Ids, h: Array, y: Array, k: Ids) -> tuple[Weights, Array]:
    """Gradient of the mean loss of a batch, and delta_t for t = 1 .. T, [T, B, H]."""
    B, T = x.shape
    d_y = (softmax(y) - np.eye(len(CLASSES))[k]) / B
    gradient = {name: np.zeros_like(value) for name, value in weights.items()}
    gradient["V_o"], gradient["c"] = d_y.T @ h[T], d_y.sum(0)
    delta = np.zeros((T, *h.shape[1:]))
    delta[T - 1] = d_y @ weights["V_o"]
    for t in range(T - 1, -1, -1):
        d_a = (1 - h[t + 1] ** 2) * delta[t]  # through the tanh
        gradient["U"] += d_a.T @ h[t]
        gradient["b"] += d_a.sum(0)
        np.add.at(gradient["W"], x[:, t], d_a)  # a symbol may occur in several rows: += would count it once
        if t > 0:
            delta[t - 1] = d_a @ weights["U"]  # back to h_{t-1}
    return gradient, delta


def autograd(weights: Weights, x: Ids, k: Ids) -> Weights:
    """The same gradient from torch, which records the forward pass and applies the chain rule itself."""
    w = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    h = torch.zeros(len(x), len(weights["b"]), dtype=torch.float64)
    for column in torch.from_numpy(x).unbind(1):
        h = torch.tanh(w["W"][column] + h @ w["U"].T + w["b"])
    torch.nn.functional.cross_entropy(h @ w["V_o"].T + w["c"], torch.from_numpy(k)).backward()  # type: ignore[no-untyped-call]
    return {name: value.grad.numpy() for name, value in w.items() if value.grad is not None}


# %% [markdown]
# ## Vanishing and exploding
#
# $\delta_t$ is $\delta_T$ times a product of $T - t$ Jacobians $U^\top \mathrm{diag}(1 - h^2)$. If every singular value
# of $U$ is below 1, the product shrinks exponentially (**vanishing**). If they are large and the tanh does not saturate,
# it grows (**exploding**). The picture shows $\|\delta_t\|$ for three gains of $U$: straight lines on a logarithmic axis.


# %%
def gradient_norms(gain: float, T: int, H: int, rng: np.random.Generator) -> Array:
    """The norm of delta_t at each step, from an untrained network whose states stay small, [T]."""
    weights = initial_weights(H, rng, gain)
    weights["W"] *= 0.01  # small states: the tanh is almost linear, so only U matters
    x, k = rng.integers(0, V, (64, T)), rng.integers(0, len(CLASSES), 64)
    h, y = forward(weights, x)
    _, delta = backward(weights, x, h, y, k)
    norms: Array = np.linalg.norm(delta, axis=2).mean(1)
    return norms


# %% [markdown]
# ## Clipping
#
# One batch with a huge gradient can undo everything learned so far. **Clipping by norm** keeps the direction and limits
# the length of the whole gradient $g$ (Pascanu, Mikolov and Bengio 2013):
#
# $$g \leftarrow g \cdot \min\left(1, \frac{\theta}{\|g\|}\right)$$
#
# This solves exploding gradients. It does not help against vanishing ones: a direction that is lost cannot be scaled up again.


# %%
def clip(gradient: Weights, threshold: float) -> float:
    """Scale the gradient in place to a norm of at most `threshold`; returns the norm before."""
    norm = float(np.sqrt(sum((g**2).sum() for g in gradient.values())))
    for g in gradient.values():
        g *= min(1.0, threshold / max(norm, 1e-12))
    return norm


# %% [markdown]
# ## The task
#
# Remember the first symbol while $T - 1$ random ones follow. Test sequences occur in no training batch: we draw all
# sequences once, remove duplicates, and split. The count-based baseline sees the last two symbols, like a trigram model.
# They are independent of the first symbol, so it can only guess.


# %%
def split(T: int, rows: int, rng: np.random.Generator) -> tuple[Ids, Ids]:
    """Distinct sequences [N, T] whose first symbol is the answer: four fifths for training, the rest for the test."""
    x = rng.integers(0, V, (rows, T))
    x[:, 0] = rng.integers(0, len(CLASSES), rows)
    x = rng.permutation(np.unique(x, axis=0))
    return x[len(x) // 5 :], x[: len(x) // 5]


def trigram_accuracy(train: Ids, test: Ids) -> float:
    """Accuracy of answering with the most frequent first symbol, in training, for the same last two symbols."""
    counts = np.zeros((V, V, len(CLASSES)))
    np.add.at(counts, (train[:, -2], train[:, -1], train[:, 0]), 1)
    return float((counts[test[:, -2], test[:, -1]].argmax(1) == test[:, 0]).mean())


def train(
    weights: Weights, x: Ids, epochs: int, rng: np.random.Generator, *, threshold: float = 0.25, rate: float = 0.1
) -> Array:
    """Stochastic gradient descent with momentum, in place: each batch's loss and gradient norm, [batches, 2]."""
    velocity = {name: np.zeros_like(value) for name, value in weights.items()}
    history: list[tuple[float, float]] = []
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(x)), max(1, len(x) // 32)):
            k = x[rows, 0]
            h, y = forward(weights, x[rows])
            gradient, _ = backward(weights, x[rows], h, y, k)
            norm = clip(gradient, threshold)
            history.append((-float(np.log(softmax(y)[np.arange(len(k)), k] + 1e-12).mean()), norm))
            for name, value in weights.items():
                velocity[name] = 0.9 * velocity[name] + gradient[name]
                value -= rate * velocity[name]
    return np.array(history)


def accuracy(weights: Weights, x: Ids) -> float:
    """The share of sequences whose first symbol is predicted."""
    return float((forward(weights, x)[1].argmax(1) == x[:, 0]).mean())


# %% [markdown]
# ## Run it
#
# - Left: the gradient by distance.
# - Middle: accuracy by length, with a new network for each. If the initial singular values of $U$ are below 1, the network
#   learns only from nearby symbols: the gradient from further back is too small. With an orthogonal $U$ they are 1 initially,
#   and the same network remembers. (In an LSTM, the cell has this effect for any $U$: see `lstm_gru.py`.)
# - Right: the loss with and without clipping, at a learning rate that is too high without it.


# %%
def draw(norms: dict[float, Array], found: dict[float, dict[int, float]], losses: dict[str, Array], path: Path) -> None:
    """The three pictures, side by side."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    for gain, values in norms.items():
        left.semilogy(np.arange(len(values))[::-1], values, label=f"singular values of U: {gain}")
    left.set(xlabel="steps back from the loss", ylabel="norm of dL/dh_t", title="Vanishing and exploding")
    left.legend()
    for gain, lengths in found.items():
        middle.plot(list(lengths), list(lengths.values()), marker="o", label=f"U starts with {gain}")
    middle.axhline(1 / len(CLASSES), color="gray", linestyle=":", label="guessing")
    middle.set(xlabel="T", ylabel="test accuracy", title="Remembering the first symbol", ylim=(0, 1.05))
    middle.legend()
    for name, values in losses.items():
        right.plot(values, label=name, linewidth=0.8)
    right.set(xlabel="batch", ylabel="training loss", title="Clipping", yscale="log")
    right.legend()
    fig.savefig(path)
    print(f"picture: {path}")


def answer(weights: Weights, text: str) -> str:
    """The network's prediction of the first symbol of `text`."""
    ids = [LETTERS.index(letter) for letter in text if letter in LETTERS]
    if not ids:
        return f"{text!r}: use the letters {LETTERS}"
    probability = softmax(forward(weights, np.array([ids]))[1])[0]
    return f"{text!r} -> began with {CLASSES[int(probability.argmax())]} ({probability.max():.2f})"


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rows", type=int, default=5000, help="sequences to draw for each length")
    parser.add_argument("--steps", type=int, default=20, help="length T that the result is for")
    parser.add_argument("--hidden", type=int, default=32, help="H")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="letters a-h to read; may be repeated")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows = 1, 200
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    rng = np.random.default_rng(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)

    weights, x = initial_weights(8, rng), rng.integers(0, V, (5, 7))
    h, y = forward(weights, x)
    ours, theirs = backward(weights, x, h, y, x[:, 0] % 4)[0], autograd(weights, x, x[:, 0] % 4)
    print(f"by hand and by autograd differ by at most {max(np.abs(ours[n] - theirs[n]).max() for n in ours):.1e}")

    norms = {gain: gradient_norms(gain, 40, chosen.hidden, rng) for gain in (0.8, 1.0, 1.2)}
    found: dict[float, dict[int, float]] = {gain: {} for gain in GAINS}
    for T in sorted({5, 10, 40, chosen.steps}):
        training, test = split(T, chosen.rows, rng)
        counted = trigram_accuracy(training, test)
        for gain in GAINS:
            trained = initial_weights(chosen.hidden, rng, gain)
            train(trained, training, chosen.epochs, rng)
            found[gain][T] = accuracy(trained, test)
            print(f"T = {T:2}, U starts with {gain}: test accuracy {found[gain][T]:.3f}, trigram counts {counted:.3f}")
        if chosen.steps == T:
            final, baseline = trained, counted
    training, _ = split(20, chosen.rows, rng)
    losses = {}
    for name, threshold in (("no clipping", np.inf), ("clipped to a norm of 0.25", 0.25)):
        history = train(initial_weights(chosen.hidden, rng), training, 4, rng, threshold=threshold, rate=0.3)
        losses[name] = history[:, 0]
        print(f"rate 0.3, {name}: largest gradient {history[:, 1].max():.1f}, loss at the end {history[-20:, 0].mean():.2f}")
    draw(norms, found, losses, chosen.out / "bptt.png")

    for text in chosen.tries or ["abcdefghab", "dbcdefghab", "ch", "abababababababababab"]:
        print(answer(final, text))
    while chosen.interactive and (text := input("letters a-h, empty to end: ")):
        print(answer(final, text))

    value = found[GAINS[-1]][chosen.steps]
    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=bptt metric=accuracy value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
