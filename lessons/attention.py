# %% [markdown]
# # Attention
#
# **Question.** How can a decoder use all of its input, instead of one vector that has to hold everything?
#
# We implement the attentions of Bahdanau and Luong, self-attention and multi-head attention from their equations. Small
# encoder-decoders that differ only in their attention convert written dates to ISO dates: `friday, 3 march 1987` to `1987-03-03`.

# %%
"""Attention from its equations (Bahdanau, Luong, self, multi-head), in encoder-decoders that read dates."""

import argparse
import datetime
import math
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

EXPECTED = (0.97, 1.0)  # accuracy of Bahdanau's attention on test dates

# %% [markdown]
# ## A weighted mean
#
# A query $q_t$ is compared with every position $j$ of a memory. The scores $e_{tj}$ become weights, and the weights a mean:
#
# $$\alpha_{tj} = \frac{\exp e_{tj}}{\sum_{j'} \exp e_{tj'}}, \qquad c_t = \sum_j \alpha_{tj} v_j$$
#
# *Trap:* a batch pads its shorter rows. A padded position must get no weight, so its score becomes $-\infty$ **before** the
# softmax. Setting its weight to 0 after the softmax leaves weights that no longer sum to 1. And a score of 0 does not mean "no
# attention": it is often higher than the other scores.


# %%
def weighted_mean(scores: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Scores [..., T, S], values [..., S, C], mask [..., 1, S] (False: padding) to c_t [..., T, C] and alpha [..., T, S]."""
    alpha = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)
    return alpha @ values, alpha


# %% [markdown]
# ## Scores
#
# | name | score $e_{tj}$ of query $s_t$ and memory $h_j$ |
# |---|---|
# | Bahdanau, Cho and Bengio 2015 | $v_a^\top \tanh(W_a s_t + U_a h_j)$ |
# | Luong, Pham and Manning 2015, dot | $s_t^\top h_j$ |
# | Luong, general | $s_t^\top W_a h_j$ |
# | Luong, concat | $v_a^\top \tanh(W_a [s_t; h_j])$ |
# | Vaswani et al. 2017, scaled dot | $q_t^\top k_j / \sqrt{d_k}$ |
#
# Concat is Bahdanau's score with $W_a$ and $U_a$ side by side in one matrix. The two papers differ in the
# query: Bahdanau uses the state **before** the step, Luong the state after it. The scale in the last line is needed
# because a dot product of $d_k$ independent terms has a standard deviation of $\sqrt{d_k}$, and a softmax of large scores
# has almost no gradient.
#
# **Multi-head** attention computes several scaled dot products in parallel, in learned subspaces:
# $\mathrm{head}_i = \mathrm{Attention}(Q W_i^Q, K W_i^K, V W_i^V)$, concatenated and multiplied by $W^O$.


# %%
class Bahdanau(nn.Module):
    """v^T tanh(W q + U h)."""

    def __init__(self, Q: int, M: int, A: int) -> None:
        super().__init__()
        self.W, self.U, self.v = nn.Linear(Q, A, bias=False), nn.Linear(M, A, bias=False), nn.Linear(A, 1, bias=False)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Query [B, T, Q], memory [B, S, M], mask [B, S] to context [B, T, M] and weights [B, T, S], as in all classes here."""
        pairs = self.W(query)[:, :, None] + self.U(memory)[:, None]  # [B, T, S, A]
        return weighted_mean(self.v(torch.tanh(pairs))[..., 0], memory, mask[:, None])


class Concat(nn.Module):
    """v^T tanh(W [q; h])."""

    def __init__(self, Q: int, M: int, A: int) -> None:
        super().__init__()
        self.W, self.v = nn.Linear(Q + M, A, bias=False), nn.Linear(A, 1, bias=False)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Bahdanau."""
        shape = (len(query), query.shape[1], memory.shape[1], -1)
        pairs = torch.cat((query[:, :, None].expand(shape), memory[:, None].expand(shape)), -1)  # [B, T, S, Q + M]
        return weighted_mean(self.v(torch.tanh(self.W(pairs)))[..., 0], memory, mask[:, None])


class Dot(nn.Module):
    """q^T h; both must have the same size."""

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Bahdanau."""
        return weighted_mean(query @ memory.mT, memory, mask[:, None])


class General(nn.Module):
    """q^T W h."""

    def __init__(self, Q: int, M: int) -> None:
        super().__init__()
        self.W = nn.Linear(M, Q, bias=False)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Bahdanau."""
        return weighted_mean(query @ self.W(memory).mT, memory, mask[:, None])


class MultiHead(nn.Module):
    """Several scaled dot products in learned subspaces of size A / heads. The weights are the mean over the heads."""

    def __init__(self, Q: int, M: int, A: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.W_Q, self.W_K = nn.Linear(Q, A, bias=False), nn.Linear(M, A, bias=False)
        self.W_V, self.W_O = nn.Linear(M, A, bias=False), nn.Linear(A, A, bias=False)

    def split(self, x: Tensor) -> Tensor:
        """[B, T, A] to [B, heads, T, A / heads]."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Bahdanau; the context is of size A."""
        q, k, v = self.split(self.W_Q(query)), self.split(self.W_K(memory)), self.split(self.W_V(memory))
        context, alpha = weighted_mean(q @ k.mT / math.sqrt(q.shape[-1]), v, mask[:, None, None])
        return self.W_O(context.transpose(1, 2).flatten(2)), alpha.mean(1)


class Fixed(nn.Module):
    """No attention: every step gets the same vector, the mean of the memory. This is the bottleneck to compare with."""

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """See Bahdanau."""
        scores = memory.new_zeros(len(query), query.shape[1], memory.shape[1])
        return weighted_mean(scores, memory, mask[:, None])


# %% [markdown]
# ## Self-attention
#
# In **self-attention** the queries are the memory itself: every position attends to all positions. We check two things below.
# It ignores order: shuffled positions give the same outputs, shuffled. That is why a transformer adds positions to its inputs.
# And torch's own `scaled_dot_product_attention` computes the same.


# %%
def self_attention(x: Tensor, mask: Tensor) -> Tensor:
    """Scaled dot-product attention of x [B, T, d] to itself."""
    return weighted_mean(x @ x.mT / math.sqrt(x.shape[-1]), x, mask[:, None])[0]


def check_self_attention() -> None:
    """Check the two claims of the text above."""
    x, mask, order = torch.randn(2, 6, 8), torch.arange(6) < torch.tensor([[6], [4]]), torch.randperm(6)
    theirs = functional.scaled_dot_product_attention(x, x, x, attn_mask=mask[:, None])
    shuffled = self_attention(x[:, order], mask[:, order])
    print(f"self-attention and torch's differ by at most {(self_attention(x, mask) - theirs).abs().max():.0e}")
    print(f"shuffled inputs give shuffled outputs, up to {(shuffled - self_attention(x, mask)[:, order]).abs().max():.0e}")


# %% [markdown]
# ## The task
#
# Dates in several written forms, and their ISO form. A day in the test set occurs in no training row, in any form: we split by
# **day**. The decoder begins with BOS (`^`) and ends with EOS (`$`); padding is `_`, id 0.
#
# The count-based baseline writes, at each position of the output, the character that most often followed its last one there.

# %%
MONTHS = [datetime.date(2000, month, 1).strftime("%B").lower() for month in range(1, 13)]
FORMS = ("{weekday}, {day} {month} {year}", "{month} {day}, {year}", "{day} {short} {year}", "the {day} of {month} {year}")
CHARACTERS = "_^$ ,-0123456789abcdefghijklmnopqrstuvwxyz"
PAD, BOS, EOS = 0, 1, 2
Pair = tuple[str, str]


def written(day: datetime.date, form: str) -> str:
    """A date in one of the forms."""
    month = MONTHS[day.month - 1]
    return form.format(weekday=day.strftime("%A").lower(), day=day.day, month=month, short=month[:3], year=day.year)


def dates(rows: int, rng: np.random.Generator) -> tuple[list[Pair], list[Pair]]:
    """Pairs of distinct days between 1900 and 2099: four fifths for training, the rest for the test."""
    first, last = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()
    days = [datetime.date.fromordinal(int(day)) for day in rng.choice(np.arange(first, last + 1), rows, replace=False)]
    pairs = [(written(day, FORMS[int(rng.integers(len(FORMS)))]), day.isoformat()) for day in days]
    return pairs[rows // 5 :], pairs[: rows // 5]


def encode(texts: list[str], *, target: bool = False) -> Tensor:
    """Characters as ids, targets with BOS and EOS around them, padded: [B, T]. An unknown character becomes a space."""
    marked = [f"^{text}$" if target else text for text in texts]
    longest, space = max(map(len, marked)), CHARACTERS.index(" ")
    ids = {character: i for i, character in enumerate(CHARACTERS)}
    return torch.tensor([[ids.get(character, space) for character in text.ljust(longest, "_")] for text in marked])


def counted(training: list[Pair], test: list[Pair]) -> float:
    """Accuracy on test dates with counts of (position, previous character) -> character."""
    counts: dict[tuple[int, str], Counter[str]] = {}
    for _, iso in training:
        for place, character in enumerate(iso):
            counts.setdefault((place, iso[place - 1] if place else "^"), Counter())[character] += 1
    right = 0
    for _, iso in test:
        guess = "^"
        for place in range(10):
            guess += counts[place, guess[-1]].most_common(1)[0][0]
        right += guess[1:] == iso
    return right / len(test)


# %% [markdown]
# ## The encoder-decoder
#
# A bidirectional GRU reads the text: $h_j = [\overrightarrow{h}_j; \overleftarrow{h}_j]$. At each step the query is the
# decoder's state *before* the step, as in Bahdanau's paper, and its GRU reads the last character and the context. All kinds of
# attention are used in the same way, so that only the score differs.
#
# **Teacher forcing:** in training the decoder reads the *correct* last character, even if it would have predicted another one.
# *Trap:* the decoder reads `target[:, :-1]` (from BOS) and has to predict `target[:, 1:]` (to EOS). If they are off by one, it
# learns to copy its input: the loss is near 0, and the output is nonsense at test time, when it reads its own output.


# %%
class Reader(nn.Module):
    """Encoder, attention, decoder."""

    def __init__(self, attention: str, H: int) -> None:
        super().__init__()
        kinds: dict[str, Callable[[], nn.Module]] = {
            "fixed": Fixed,
            "dot": Dot,
            "general": lambda: General(H, H),
            "concat": lambda: Concat(H, H, H),
            "bahdanau": lambda: Bahdanau(H, H, H),
            "multihead": lambda: MultiHead(H, H, H, 4),
        }
        self.embedding = nn.Embedding(len(CHARACTERS), H // 2, padding_idx=PAD)
        self.encoder = nn.GRU(H // 2, H // 2, batch_first=True, bidirectional=True)
        self.attention = kinds[attention]()
        self.cell = nn.GRUCell(H // 2 + H, H)
        self.output = nn.Linear(2 * H, len(CHARACTERS))

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Ids [B, S] to memory [B, S, H], its mask [B, S] and the decoder's first state [B, H]."""
        mask = source != PAD
        packed = nn.utils.rnn.pack_padded_sequence(  # so that the backward direction starts at each row's own end
            self.embedding(source), mask.sum(1), batch_first=True, enforce_sorted=False
        )
        states, final = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        return memory, mask, final.transpose(0, 1).flatten(1)

    def step(self, last: Tensor, state: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read the last character [B]: scores of the next one [B, V], the new state [B, H], the weights [B, S]."""
        context, alpha = self.attention(state[:, None], memory, mask)
        state = self.cell(torch.cat((self.embedding(last), context[:, 0]), -1), state)
        return self.output(torch.cat((state, context[:, 0]), -1)), state, alpha[:, 0]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Teacher forcing: the scores of target[:, 1:], [B, T - 1, V]."""
        memory, mask, state = self.encode(source)
        scores = list[Tensor]()
        for last in target[:, :-1].unbind(1):
            score, state, _ = self.step(last, state, memory, mask)
            scores.append(score)
        return torch.stack(scores, 1)

    @torch.no_grad()
    def read(self, texts: list[str]) -> tuple[list[str], Tensor]:
        """Greedy search: each text's date, and the weights alpha_tj [B, 11, S]."""
        memory, mask, state = self.encode(encode(texts))
        last, said, weights = torch.full((len(texts),), BOS), list[Tensor](), list[Tensor]()
        for _ in range(11):
            scores, state, alpha = self.step(last, state, memory, mask)
            last = scores.argmax(-1)
            said.append(last)
            weights.append(alpha)
        rows = ["".join(CHARACTERS[i] for i in row) for row in torch.stack(said, 1).tolist()]
        return [row.split("$")[0] for row in rows], torch.stack(weights, 1)


def train(model: Reader, pairs: list[Pair], epochs: int) -> list[float]:
    """Adam; the loss of each epoch in nats per character."""
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.003), list[float]()
    for _ in range(epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(pairs)), 32):
            source = encode([pairs[row][0] for row in rows])
            target = encode([pairs[row][1] for row in rows], target=True)
            loss = functional.cross_entropy(model(source, target).flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(rows) / len(pairs)
        losses.append(total)
    return losses


def accuracy(model: Reader, pairs: list[Pair]) -> float:
    """The share of texts whose date is completely right."""
    found, _ = model.read([text for text, _ in pairs])
    return sum(date == iso for date, (_, iso) in zip(found, pairs, strict=True)) / len(pairs)


# %% [markdown]
# ## Run it
#
# The right picture has a row for each output character, bright where its attention weight is high. Months are words, so the
# two digits of the month should attend to letters; the digits of the year attend to themselves.


# %%
def draw(losses: dict[str, list[float]], model: Reader, text: str, path: Path) -> None:
    """The losses, and the weights for one text."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(13, 4), layout="constrained")
    for name, values in losses.items():
        left.semilogy(range(1, len(values) + 1), values, label=name)
    left.set(xlabel="epoch", ylabel="nats per character", title="Training loss")
    left.legend()
    (date,), weights = model.read([text])
    right.imshow(weights[0, : len(date)], aspect="auto", cmap="viridis")
    right.set_xticks(range(len(text)), list(text))
    right.set_yticks(range(len(date)), list(date))
    right.set(title="alpha_tj of Bahdanau's attention")
    fig.savefig(path)
    print(f"picture: {path}")


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rows", type=int, default=4000, help="distinct days, a fifth of them for the test")
    parser.add_argument("--hidden", type=int, default=64, help="H")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="a date to read; may be repeated")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows = 1, 160
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    torch.manual_seed(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    check_self_attention()
    training, test = dates(chosen.rows, np.random.default_rng(chosen.seed))
    baseline = counted(training, test)
    print(f"{len(training)} dates for training, {len(test)} others for the test; accuracy of the counts {baseline:.3f}")
    losses, results = dict[str, list[float]](), dict[str, float]()
    for name in ("fixed", "dot", "general", "concat", "multihead", "bahdanau"):
        model = Reader(name, chosen.hidden)
        losses[name] = train(model, training, chosen.epochs)
        results[name] = accuracy(model, test)
        print(f"{name:>9}: accuracy {results[name]:.3f} on the test dates")
    draw(losses, model, test[0][0], chosen.out / "attention.png")

    for text in chosen.tries or ["friday, 3 march 1987", "the 29 of february 2024", "july 4, 1976"]:
        print(f"{text} -> {model.read([text.lower()])[0][0]}")
    while chosen.interactive and (text := input("a date, empty to end: ")):
        print(f"{text} -> {model.read([text.lower()])[0][0]}")

    within = EXPECTED[0] <= results["bahdanau"] <= EXPECTED[1]
    print(
        f"RESULT lesson=attention metric=accuracy value={results['bahdanau']:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
