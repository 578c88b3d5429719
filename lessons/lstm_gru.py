# %% [markdown]
# # LSTM and GRU from their equations
#
# **Question.** What do the gates of an LSTM and a GRU compute, and what can they learn that a simple network cannot?
#
# We implement four cells from their equations, check them against torch's own layers with the same weights, and train them on a
# classic test of memory: the embedded Reber grammar of Hochreiter and Schmidhuber (1997).

# %%
"""The recurrent cells from their equations: simple, LSTM, LSTM with peepholes, GRU; trained on the embedded Reber grammar."""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

EXPECTED = (0.95, 1.0)  # the LSTM's accuracy at the symbol that has to be remembered

# %% [markdown]
# ## The cells
#
# All of them start with $W x_t + b$ and $U h_{t-1} + b'$, in which the rows of the gates are stacked. $\sigma$ is
# the sigmoid, $*$ the elementwise product. The simple network rewrites its whole state at each step:
#
# $$h_t = \tanh(W x_t + U h_{t-1} + b)$$
#
# The **LSTM** adds a cell $C_t$. The cell is *added to*, not rewritten, so that a step multiplies its gradient only by
# $f_t$. If the forget gate is near 1, the gradient does not vanish.
#
# $$\begin{aligned}
# i_t &= \sigma(W_i x_t + U_i h_{t-1} + b_i) & f_t &= \sigma(W_f x_t + U_f h_{t-1} + b_f) \\
# g_t &= \tanh(W_g x_t + U_g h_{t-1} + b_g) & o_t &= \sigma(W_o x_t + U_o h_{t-1} + b_o) \\
# C_t &= f_t * C_{t-1} + i_t * g_t & h_t &= o_t * \tanh(C_t)
# \end{aligned}$$
#
# The initial value of the forget gate matters: $\sigma(0) = 0.5$ leaves $0.5^{12} = 0.02\,\%$ of the cell after 12 steps, too
# little to learn from. With $b_f = 3$ it is initially $\sigma(3) = 0.95$, which leaves half.
#
# With **peepholes** (Gers and Schmidhuber 2000) the gates also read the cell: $p_i * C_{t-1}$ and $p_f * C_{t-1}$ are
# added inside $i_t$ and $f_t$, and $p_o * C_t$ inside $o_t$. *Trap:* the output gate reads the new cell, the others the old one.
#
# The **GRU** (Cho et al. 2014) has no separate cell; its gate $z_t$ mixes the old state with a candidate:
#
# $$\begin{aligned}
# r_t &= \sigma(W_r x_t + U_r h_{t-1} + b_r) & z_t &= \sigma(W_z x_t + U_z h_{t-1} + b_z) \\
# n_t &= \tanh(W_n x_t + b_n + r_t * (U_n h_{t-1} + b'_n)) & h_t &= (1 - z_t) * n_t + z_t * h_{t-1}
# \end{aligned}$$
#
# *Trap:* papers differ on where $r_t$ is applied and on which state $z_t$ multiplies. This is torch's and cuDNN's form.

# %%
State = tuple[Tensor, Tensor]  # h_t and C_t, [B, H] each; a cell without C passes it on


def rnn(x: Tensor, u: Tensor, state: State, _p: Tensor) -> State:
    """One step. x is W x_t + b and u is U h_{t-1} + b', both [B, gates * H]."""
    return torch.tanh(x + u), state[1]


def lstm(x: Tensor, u: Tensor, state: State, _p: Tensor) -> State:
    """One step; the gates are in torch's order i, f, g, o."""
    i, f, g, o = (x + u).chunk(4, -1)
    C = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(C), C


def peephole(x: Tensor, u: Tensor, state: State, p: Tensor) -> State:
    """One step; p is [p_i; p_f; p_o], [3H]."""
    i, f, g, o = (x + u).chunk(4, -1)
    p_i, p_f, p_o = p.chunk(3)
    C = torch.sigmoid(f + p_f * state[1]) * state[1] + torch.sigmoid(i + p_i * state[1]) * torch.tanh(g)
    return torch.sigmoid(o + p_o * C) * torch.tanh(C), C


def gru(x: Tensor, u: Tensor, state: State, _p: Tensor) -> State:
    """One step; the gates are in torch's order r, z, n."""
    (x_r, x_z, x_n), (u_r, u_z, u_n) = x.chunk(3, -1), u.chunk(3, -1)
    r, z = torch.sigmoid(x_r + u_r), torch.sigmoid(x_z + u_z)
    return (1 - z) * torch.tanh(x_n + r * u_n) + z * state[0], state[1]


Step = Callable[[Tensor, Tensor, State, Tensor], State]
CELLS: dict[str, tuple[Step, int]] = {"rnn": (rnn, 1), "lstm": (lstm, 4), "peephole": (peephole, 4), "gru": (gru, 3)}


class Recurrent(nn.Module):
    """A layer of one of the cells. $W x_t$ does not need the state: it is computed for all steps at once. The rest is a loop."""

    def __init__(self, cell: str, d: int, H: int) -> None:
        super().__init__()
        self.step, gates = CELLS[cell]
        self.W, self.U = nn.Linear(d, gates * H), nn.Linear(H, gates * H)
        self.p = nn.Parameter(torch.zeros(3 * H))  # used only with peepholes
        if gates == 4:
            nn.init.constant_(self.W.bias[H : 2 * H], 3.0)  # b_f: see above

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs [B, T, d] to all h_t and all C_t, [B, T, H] each, from a zero state."""
        zeros = x.new_zeros(len(x), self.U.in_features)
        state, states = (zeros, zeros), list[State]()
        for x_t in self.W(x).unbind(1):
            state = self.step(x_t, self.U(state[0]), state, self.p)
            states.append(state)
        h, C = zip(*states, strict=True)
        return torch.stack(h, 1), torch.stack(C, 1)


def difference(cell: str, layer: nn.RNNBase) -> float:
    """The largest difference between our layer and torch's with the same weights."""
    ours, x = Recurrent(cell, layer.input_size, layer.hidden_size), torch.randn(2, 9, layer.input_size)
    theirs = dict(layer.named_parameters())
    with torch.no_grad():
        for linear, name in ((ours.W, "ih"), (ours.U, "hh")):
            linear.weight.copy_(theirs[f"weight_{name}_l0"])
            linear.bias.copy_(theirs[f"bias_{name}_l0"])
        return float((ours(x)[0] - layer(x)[0]).abs().max())


# %% [markdown]
# ## The embedded Reber grammar
#
# A string is `B`, then `T` or `P`, then a whole string of the Reber grammar, then **the same** `T` or `P`, then `E`. To
# predict the second-to-last symbol, the network has to carry one bit across everything in between. We keep strings whose
# inner string has at least 12 symbols.

# %%
ALPHABET = ".BTPSXVE"  # '.' is padding
GRAPH = {0: "T1P2", 1: "S1X3", 2: "T2V4", 3: "X2S5", 4: "P3V5"}  # from a state: symbol, next state; twice


def reber(rng: np.random.Generator) -> str:
    """A string of the inner grammar, between B and E."""
    symbols, state = "B", 0
    while state != 5:  # the grammar's last state
        choice = 2 * int(rng.integers(2))
        symbols, state = symbols + GRAPH[state][choice], int(GRAPH[state][choice + 1])
    return symbols + "E"


def embedded_strings(rows: int, shortest: int, rng: np.random.Generator) -> list[str]:
    """Distinct strings in random order."""
    found: dict[str, None] = {}
    while len(found) < rows:
        inside, bit = reber(rng), "TP"[int(rng.integers(2))]
        if len(inside) >= shortest:
            found[f"B{bit}{inside}{bit}E"] = None
    return list(found)


def batch(strings: list[str]) -> Tensor:
    """Symbols as ids, padded at the end with 0, [B, T]."""
    longest = max(map(len, strings))
    return torch.tensor([[ALPHABET.index(symbol) for symbol in string.ljust(longest, ".")] for string in strings])


# %% [markdown]
# ## Predict the next symbol
#
# *Trap:* padded positions must not count. `ignore_index=0` excludes them from the loss; without it the network is
# rewarded for predicting padding after padding, and the loss looks far better than it is.
#
# The baseline **counts** which symbol most often followed the last three. At the decisive position these never contain the bit.


# %%
class Predictor(nn.Module):
    """Symbols to scores of the next symbol."""

    def __init__(self, cell: str, H: int) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, len(ALPHABET), H)
        self.output = nn.Linear(H, len(ALPHABET))

    def forward(self, ids: Tensor) -> Tensor:
        """[B, T] to [B, T, V]."""
        scores: Tensor = self.output(self.recurrent(functional.one_hot(ids, len(ALPHABET)).float())[0])
        return scores


def train(model: Predictor, strings: list[str], epochs: int) -> list[float]:
    """Adam, with the gradient clipped to a norm of 1; the loss of each epoch in nats per symbol."""
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.01), list[float]()
    for _ in range(epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(strings)), 32):
            ids = batch([strings[row] for row in rows])
            loss = functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), ignore_index=0)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(rows) / len(strings)
        losses.append(total)
    return losses


@torch.no_grad()
def predicted_bit(model: Predictor, string: str) -> str:
    """T or P, whichever the model finds more likely at the second-to-last position of a string."""
    scores = model(batch([string[:-2]]))[0, -1]
    return "T" if scores[ALPHABET.index("T")] > scores[ALPHABET.index("P")] else "P"


def accuracy(model: Predictor, strings: list[str]) -> float:
    """The share of strings whose remembered bit is right."""
    return sum(predicted_bit(model, string) == string[1] for string in strings) / len(strings)


def counted_accuracy(train_strings: list[str], test: list[str]) -> float:
    """The same with counts of T and P after three symbols."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for string in train_strings:
        for t in range(3, len(string)):
            if string[t] in "TP":
                counts[string[t - 3 : t]][string[t]] += 1
    right = [counts[string[-5:-2]].most_common(1)[:1] == [(string[1], counts[string[-5:-2]][string[1]])] for string in test]
    return sum(right) / len(test)


# %% [markdown]
# ## Run it
#
# The left picture compares the losses. The right one shows the LSTM's cell while it reads one string: look for a row that
# changes at the second symbol and keeps its colour until the end. That row stores the bit.


# %%
def draw(losses: dict[str, list[float]], model: Predictor, string: str, path: Path) -> None:
    """The losses by epoch, and the cell state as a heat map."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
    for cell, values in losses.items():
        left.plot(range(1, len(values) + 1), values, label=cell)
    left.set(xlabel="epoch", ylabel="nats per symbol", title="Training loss")
    left.legend()
    with torch.no_grad():
        ids = functional.one_hot(batch([string]), len(ALPHABET)).float()
        C = model.recurrent(ids)[1][0].T.numpy()  # [H, T]
    image = right.imshow(np.tanh(C), aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
    right.set_xticks(range(len(string)), list(string))
    right.set(title="tanh(C_t) of the LSTM", ylabel="unit")
    fig.colorbar(image)
    fig.savefig(path)
    print(f"picture: {path}")


def answer(model: Predictor, text: str) -> str:
    """The model's prediction of the second-to-last symbol of a typed string."""
    if len(text) < 4 or not set(text) <= set(ALPHABET[1:]):
        return f"{text!r}: type a string of {ALPHABET[1:]}, such as BTBTXSETE"
    return f"{text} -> at the second-to-last place the LSTM expects {predicted_bit(model, text)}; the string began B{text[1]}"


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rows", type=int, default=3000, help="distinct strings, a third of them for the test")
    parser.add_argument("--shortest", type=int, default=12, help="minimum length of the inner string")
    parser.add_argument("--hidden", type=int, default=32, help="H")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="a string to read; may be repeated")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows = 2, 120
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    torch.manual_seed(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for cell, layer in (("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
        print(f"{cell}: differs from torch's by at most {difference(cell, layer(5, 7, batch_first=True)):.0e}")

    strings = embedded_strings(chosen.rows, chosen.shortest, np.random.default_rng(chosen.seed))
    test, training = strings[: len(strings) // 3], strings[len(strings) // 3 :]
    print(f"{len(training)} training strings, {len(test)} others for the test, such as {test[0]}")
    baseline = counted_accuracy(training, test)
    print(f"{'counts':>8}: accuracy of the remembered bit {baseline:.3f} on the test strings")
    losses, models, results = dict[str, list[float]](), dict[str, Predictor](), dict[str, float]()
    for cell in CELLS:
        models[cell] = Predictor(cell, chosen.hidden)
        losses[cell] = train(models[cell], training, chosen.epochs)
        results[cell] = accuracy(models[cell], test)
        print(f"{cell:>8}: accuracy of the remembered bit {results[cell]:.3f} on the test strings")
    draw(losses, models["lstm"], test[0], chosen.out / "lstm_gru.png")

    for text in chosen.tries or ["BTBTXSETE", "BPBPTTTTTTTVVEPE", "BTBPTTTTTTTTTTTTTTTTTVVETE"]:
        print(answer(models["lstm"], text))
    while chosen.interactive and (text := input("a string, empty to end: ")):
        print(answer(models["lstm"], text))

    within = EXPECTED[0] <= results["lstm"] <= EXPECTED[1]
    print(
        f"RESULT lesson=lstm_gru metric=accuracy value={results['lstm']:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
