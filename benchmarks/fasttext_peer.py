"""fastText's classifier (Joulin et al. 2017, arXiv 1607.01759) as a peer, installed into a separate folder."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.metrics import f1_score

from models.text.words import words_of
from pipelines.data.prepared import read_texts

FASTTEXT = "fasttext-wheel==0.9.2"
NEEDED = ("pybind11==3.0.1",)
# fastText's README recommends these settings over its defaults, which ignore word order: 5 to 50 epochs, a learning rate of 0.1
# to 1, and word bigrams. We pick the best on the validation split. Our block gets no such tuning.
GRID = [(epochs, rate) for epochs in (5, 25) for rate in (0.1, 0.5, 1.0)]
SHORT = 3  # words; if texts have fewer on average, character n-grams are used, too
# Runs in a process that can import fastText. It calls the binding below `predict`, which fails with numpy 2.
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import fasttext
train, texts, epochs, rate, longest, seed = json.loads(sys.argv[2])
options = dict(wordNgrams=2, minn=min(longest, 1), maxn=longest, bucket=200000, thread=1, seed=seed, verbose=0)
model = fasttext.train_supervised(train, epoch=epochs, lr=rate, **options)
with open(texts, encoding="utf-8") as lines:
    print(json.dumps([model.f.predict(line, 1, 0.0, "strict")[0][1] for line in lines]))
"""


@contextmanager
def installed() -> Iterator[Path]:
    """Provide a folder with fastText, for the duration of the block."""
    with TemporaryDirectory(prefix="seqline-") as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, FASTTEXT, *NEEDED]
        subprocess.run(command, check=True)  # noqa: S603
        yield Path(folder)


def fasttext_f1(packages: Path, prepared: Path, seed: int) -> float:
    """Return the test macro-F1 of the GRID setting that is best on the validation split.

    Args:
        packages: see `installed`.
        prepared: prepared data of a classification task.
        seed: fastText's seed.
    """
    splits = {split: read_texts(prepared, split) for split in ("train", "valid", "test")}
    numbers = {label: f"__label__{i}" for i, label in enumerate(sorted({*splits["train"]["label"]}))}
    short = sum(len(text.split()) for text in splits["train"]["text"]) < SHORT * len(splits["train"]["text"])
    with TemporaryDirectory(prefix="seqline-") as folder:
        for name, split in splits.items():
            labels = (f"{numbers[label]} " if name == "train" else "" for label in split["label"])
            texts = (" ".join(words_of(text)) or text for text in split["text"])
            lines = "".join(f"{label}{text}\n" for label, text in zip(labels, texts, strict=True))
            (Path(folder) / name).write_text(lines, encoding="utf-8")

        def f1(split: str, epochs: int, rate: float) -> float:
            sent = json.dumps([f"{folder}/train", f"{folder}/{split}", epochs, rate, 5 if short else 0, seed])
            command = [sys.executable, "-c", SCRIPT, str(packages), sent]
            answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout  # noqa: S603
            actual = [numbers[label] for label in splits[split]["label"]]
            return float(f1_score(actual, json.loads(answer.splitlines()[-1]), average="macro", zero_division=0))

        return f1("test", *max(GRID, key=lambda one: f1("valid", *one)))
