"""Joey NMT (Kreutzer et al. 2019, arXiv 1907.12484) as a peer of the project's translator.

It gets the same subwords, sizes, batches and training settings, but keeps its own design: attention is computed after the
decoder's step and has the decoder's size, its output is fed into the next step (input feeding), and the learning rate decays with
the inverse square root of the step. Its ids are ours, except that UNK and PAD are swapped.

The versions that Joey NMT requires conflict with this project's, but it works with ours. So joeynmt and its other dependencies
are installed into a separate folder, and it runs in a process that sees this folder and the project's packages.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.joeynmt_settings import configuration
from models.text.special import SPECIAL_TOKENS
from models.text.subwords import SubwordTokenizer
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.store import Split

JOEYNMT = "joeynmt==2.3.0"
NEEDED = ("absl-py==2.5.1", "sentencepiece==0.2.0", "subword-nmt==0.3.8", "tensorboard==2.21.0")
WARM_UP = 64  # sentences to translate before those that are timed


@contextmanager
def installed() -> Iterator[Path]:
    """Provide a folder with joeynmt and its dependencies beyond this project's packages, for the duration of the block.

    A virtual environment would not do: created from within another one, it inherits the packages of the base Python, not ours.
    """
    with TemporaryDirectory(prefix="seqline-") as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, JOEYNMT, *NEEDED]
        subprocess.run(command, check=True)  # noqa: S603
        yield Path(folder)


class Peer:
    """Joey NMT on a translation task of ours.

    Args:
        packages: see `installed`.
        folder: for its data and its model, created if necessary.
        task: params of the task. The number of sentences per training batch is such that the average batch has `batch_units`.
        prepared: the task's prepared data.
        threads: cores that it may use.
    """

    def __init__(self, packages: Path, folder: Path, task: TranslationTask, prepared: Path, *, threads: int) -> None:
        self.tokenizer = SubwordTokenizer.load(prepared / "tokenizer.json")
        lengths = Split(prepared / "train").lengths("target")
        sentences = round(task.train.batch_units / lengths.mean())
        steps = task.train.epochs * math.ceil(len(lengths) / sentences)
        self._configuration = configuration(task, folder, sentences, steps)
        self._environment = {**os.environ, "PYTHONPATH": str(packages), "OMP_NUM_THREADS": str(threads)}
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder, prepared)

    def _write(self, folder: Path, prepared: Path) -> None:
        """Write the vocabulary, and sentences as subwords separated by spaces. Only the training split gets targets."""
        ids = range(len(SPECIAL_TOKENS), self.tokenizer.size)
        _write_lines(folder / "vocabulary.txt", self.tokenizer.pieces(ids))
        train, valid, test = (Split(prepared / split) for split in ("train", "valid", "test"))
        rows = {"train": range(len(train)), "valid": range(min(WARM_UP, len(valid))), "test": range(len(test))}
        for name, split in (("train", train), ("valid", valid), ("test", test)):
            sources = (split.row(i)["source"][:-1].tolist() for i in rows[name])
            _write_lines(folder / f"{name}.source", (" ".join(self.tokenizer.pieces(ids)) for ids in sources))
        targets = (train.row(i)["target"][1:-1].tolist() for i in rows["train"])
        _write_lines(folder / "train.target", (" ".join(self.tokenizer.pieces(ids)) for ids in targets))

    def train(self) -> float:
        """Train for the task's number of epochs.

        Returns:
            Target subwords per second in the last logged steps, as Joey NMT counts them: with EOS, without padding.
        """
        rates: list[float] = self._ask("train")["tokens_per_s"]
        return rates[-1]

    def translate(self) -> tuple[list[str], float]:
        """Translate the test split with the trained model.

        Returns:
            The translations, and their duration in seconds, from subwords to subwords.
        """
        answer = self._ask("translate")
        texts = [self.tokenizer.decode(self.tokenizer.ids(line.split(" "))) for line in answer["translations"]]
        return texts, answer["seconds"]

    def _ask(self, work: str) -> dict[str, Any]:
        command, sent = [sys.executable, "-m", "benchmarks.joeynmt_peer", work], json.dumps(self._configuration)
        done = subprocess.run(command, input=sent, env=self._environment, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
