"""Conditional character language model of names: their probabilities, and generation of new ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.text.characters import CharacterTokenizer
from models.text.special import BOS, EOS, PAD, UNK
from serving.bundle import GRAPH, TOKENIZER, Bundle
from serving.predictors.arrays import FloatArray, IntArray, batches_by_length, pad
from serving.predictors.sampling import Sampling, distribution, draw, most_probable
from serving.predictors.session import Session
from serving.predictors.watch import Watch


@dataclass(frozen=True)
class DrawnToken:
    """A drawn character, or the end of the name.

    Attributes:
        token: the character; "" for the end.
        top: the most probable ones at this position, best first, with the probabilities that it was drawn with.
    """

    token: str
    top: list[tuple[str, float]]


@dataclass(frozen=True)
class Prompt:
    """One name to generate.

    Args:
        text: beginning of the name; may be empty.
        label: condition, one of the bundle's labels.
        sampling: sampling settings.
        generator: random number generator.
        max_new_tokens: maximum number of characters to add, 1 or more.
        on_draw: called with each character, and with the end of the name, as soon as it is drawn.
        top_n: how many of the most probable characters `on_draw` gets.
    """

    text: str
    label: str
    sampling: Sampling
    generator: np.random.Generator
    max_new_tokens: int
    on_draw: Callable[[DrawnToken], None] | None = None
    top_n: int = 0


@dataclass
class _Row:
    """A prompt in progress: its ids, starting with BOS, and their maximum number, including EOS."""

    prompt: Prompt
    ids: list[int]
    limit: int

    @property
    def done(self) -> bool:
        return self.ids[-1] == EOS or len(self.ids) == self.limit


class Generator:
    """The name generator of a verified bundle.

    Args:
        folder: folder of the bundle.
        bundle: its manifest from `Bundle.load`, of kind "generation".
        threads: maximum number of cores that one call uses.

    The graph: characters [B, T], label [B], state [B, S] -> logits [B, T, V], next_state [B, S].
    """

    def __init__(self, folder: Path, bundle: Bundle, *, threads: int = 1) -> None:
        self.bundle = bundle.of_kind("generation")
        self.tokenizer = CharacterTokenizer.load(folder / TOKENIZER)
        self._model = Session(folder / GRAPH, threads=threads)
        self._state_size = self._model.width("state")
        self._label_ids = {label: i for i, label in enumerate(bundle.labels)}

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Verify the bundle in `folder` and load it.

        Raises:
            BundleError: it is not a valid generation bundle.
        """
        return cls(folder, Bundle.load(folder), threads=threads)

    def bits(self, texts: Sequence[str], labels: Sequence[str], *, batch_size: int = 64) -> tuple[NDArray[np.float64], IntArray]:
        """Code length of each name under the model: -log2 P(characters, EOS | label).

        Returns:
            bits [N], and predicted [N], the number of predicted characters including EOS. The ratio of their sums is the
            model's bits per character, and 2 to that power its perplexity.

        Raises:
            KeyError: a label is not in the bundle.
        """
        ids = [self.tokenizer.encode(text) for text in texts]
        conditions = self._conditions(labels)
        bits = np.empty(len(texts), dtype=np.float64)
        for batch in batches_by_length(ids, batch_size):
            characters, _ = pad([[BOS, *ids[i]] for i in batch])  # [B, T]
            targets, lengths = pad([[*ids[i], EOS] for i in batch])  # [B, T], [B]
            logits, _ = self._model(characters=characters, label=conditions[batch], state=self._zeros(len(batch)))
            costs = -np.take_along_axis(_log_softmax(logits), targets[:, :, None], axis=2)[:, :, 0]  # [B, T]
            bits[batch] = np.where(np.arange(targets.shape[1]) < lengths[:, None], costs, 0).sum(axis=1) / np.log(2)
        return bits, np.array([len(row) + 1 for row in ids], dtype=np.int64)

    def generate(self, prompts: Sequence[Prompt], *, batch_size: int = 64, watch: Watch | None = None) -> list[str]:
        """Generate a name for each prompt: its beginning and the characters up to EOS or the prompt's limit.

        Raises:
            DeadlineError: the deadline passed; it is checked between characters.
        """
        rows = []
        for prompt in prompts:
            given = [BOS, *self.tokenizer.encode(prompt.text)]
            rows.append(_Row(prompt, given, len(given) + prompt.max_new_tokens))
        starts = [len(row.ids) for row in rows]
        for batch in batches_by_length([row.ids for row in rows], batch_size):
            self._fill([rows[i] for i in batch], watch)
        return [self._text(row, start) for row, start in zip(rows, starts, strict=True)]

    def _fill(self, rows: list[_Row], watch: Watch | None) -> None:
        """Run all rows in lockstep: first their beginnings, then their drawn characters. Finished rows leave the batch."""
        state, fed = self._zeros(len(rows)), 0
        while rows:
            previous = np.array([[row.ids[fed]] for row in rows], dtype=np.int64)  # [R, 1]
            labels = self._conditions([row.prompt.label for row in rows])
            logits, state = self._model(watch, characters=previous, label=labels, state=state)
            fed += 1
            self._extend([(row, at[0]) for row, at in zip(rows, logits, strict=True) if len(row.ids) == fed])
            kept = [r for r, row in enumerate(rows) if not row.done]
            rows, state = [rows[r] for r in kept], state[kept]

    def _extend(self, rows: Sequence[tuple[_Row, FloatArray]]) -> None:
        """Draw the next id of each row from its logits [V]; PAD, UNK and BOS are never drawn."""
        if not rows:
            return
        logits = np.stack([at for _, at in rows])  # [R, V]
        logits[:, [PAD, UNK, BOS]] = -np.inf
        prompts = [row.prompt for row, _ in rows]
        probabilities = distribution(logits, [p.sampling for p in prompts])  # [R, V]
        drawn = draw(probabilities, [p.generator for p in prompts])
        for (row, _), unit, of_row in zip(rows, drawn.tolist(), probabilities, strict=True):
            row.ids.append(unit)
            if row.prompt.on_draw:
                top = most_probable(of_row, row.prompt.top_n) if row.prompt.top_n else []
                row.prompt.on_draw(DrawnToken(self._token(unit), [(self._token(i), p) for i, p in top]))

    def _token(self, unit: int) -> str:
        """The character of an id; "" for EOS."""
        return self.tokenizer.decode([unit])

    def _text(self, row: _Row, start: int) -> str:
        """The normalized beginning, including unknown characters, and the drawn characters."""
        return self.tokenizer.read(row.prompt.text) + self.tokenizer.decode(row.ids[start:])

    def _conditions(self, labels: Sequence[str]) -> IntArray:
        return np.array([self._label_ids[label] for label in labels], dtype=np.int64)

    def _zeros(self, rows: int) -> FloatArray:
        return np.zeros((rows, self._state_size), dtype=np.float32)


def _log_softmax(logits: FloatArray) -> NDArray[np.float64]:
    """Natural log-probabilities over the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    normalized: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalized
