"""A small bundle of each kind, made as the pipeline makes them, from models with random weights."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import settings

from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.corpora.parallel import Pair
from pipelines.export import export
from pipelines.models import build_model
from pipelines.params import Params, load_params
from pipelines.preparation.names import prepare_names
from pipelines.preparation.pairs import prepare_pairs, split_pairs
from pipelines.preparation.snippets import prepare_snippets
from pipelines.stage import threads

# What keeps a process waiting, or busy for long, begins first; short tests fill what is left.
LONGEST_FIRST = ("pipeline", "live", "slow")
PROCESSES = threads()  # of `pytest -n auto`, asked for before the tests' own setting below

# Models as small as the tests' gain nothing from more threads, and tests run beside each other. Their processes inherit it.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# How long an example takes says nothing on a machine that others share.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

NAMES = {
    "Italian": ["Rossi", "Bianchi", "Ferrari", "De Luca", "Esposito", "Ricci"],
    "German": ["Müller", "Schmidt", "Schneider", "Krüger", "Weiß", "Bauer"],
    "Irish": ["O'Neill", "O'Brien", "Murphy", "Kelly", "Walsh", "Byrne"],
    "Polish": ["Kowalski", "Nowak", "Wiśniewski", "Zieliński", "Kamiński", "Lis"],
}
FRENCH = [
    "un chien court dans l'herbe",
    "deux femmes marchent dans la rue",
    "un homme lit",
    "le chat dort",
    "la porte est fermée",
]
ENGLISH = [
    "a dog runs in the grass",
    "two women walk down the street",
    "a man is reading",
    "the cat sleeps",
    "the door is closed",
]
MOODS = ("bad", "good", "dull", "funny", "slow", "warm")  # blame, praise, blame, and so on
THINGS = ("cast", "ending", "film", "plot", "score")

SMALL = {
    "surname": {
        "prepare": {"valid_share": 0.2, "test_share": 0.2},
        "model": {"embedding_size": 8, "hidden_size": 16, "ngram_buckets": 64},
    },
    "names": {
        "prepare": {"valid_share": 0.2, "test_share": 0.2},
        "export": {"max_length": 12},
        "model": {"embedding_size": 8, "hidden_size": 16, "label_size": 4},
    },
    "fr-en": {
        "prepare": {"vocabulary_size": 300, "valid_pairs": 4, "test_pairs": 4},
        "model": {"embedding_size": 8, "encoder_size": 8, "hidden_size": 16, "attention_size": 8},
    },
    "sentiment": {
        "prepare": {"vocabulary_size": 10},
        "model": {"embedding_size": 8, "hidden_size": 16, "attention_size": 8},
    },
}
# Where a task's bundle is: at its kind, or at its own name where the kind has another.
KINDS = {"surname": "classification", "names": "generation", "fr-en": "translation", "sentiment": "sentiment"}


def pytest_xdist_auto_num_workers() -> int:
    """How many processes run the tests."""
    return PROCESSES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with the longest tests first."""

    def place(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(LONGEST_FIRST) if item.get_closest_marker(name)), len(LONGEST_FIRST))

    first = dict[Path, int]()
    for item in items:
        first[item.path] = min(place(item), first.get(item.path, len(LONGEST_FIRST)))
    items.sort(key=lambda item: first[item.path])


@pytest.fixture(scope="session")
def small_params() -> Params:
    """params.yaml with every size small."""
    content = load_params().model_dump(by_alias=True)
    content["precision"] = "fp32"  # what is measured to be faster beside other tests is another one each time
    for task, blocks in SMALL.items():
        for block, values in blocks.items():
            content[task][block] |= values
    return Params.model_validate(content)


@pytest.fixture(scope="session")
def prepared(small_params: Params, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Task -> folder of a prepared data set."""
    root = tmp_path_factory.mktemp("prepared")
    names = [(name, label) for label, all_names in NAMES.items() for name in all_names]
    pairs = [
        Pair(f"package{i}", f"{s} {n}", f"{t} {n}") for i, n in enumerate("abcdef") for s, t in zip(FRENCH, ENGLISH, strict=True)
    ]
    for task in ("surname", "names"):
        settings = small_params.task(task)
        prepare_names(names, settings.prepare, 1).write(root / task)
    splits, _ = split_pairs(pairs, small_params.fr_en.prepare, 1)
    prepare_pairs(splits, small_params.fr_en.prepare, {}).write(root / "fr-en")
    prepare_snippets(snippets(), glove(), small_params.sentiment.prepare, {}).write(root / "sentiment")
    return {task: root / task for task in KINDS}


def snippets() -> dict[str, list[tuple[list[str], int]]]:
    """Sentences with a label, those about one thing in one split."""
    things = {"train": THINGS[:3], "valid": THINGS[3:4], "test": THINGS[4:]}
    return {split: [(["a", mood, t], i % 2) for t in some for i, mood in enumerate(MOODS)] for split, some in things.items()}


def glove() -> WordVectors:
    """Random vectors of most of their words."""
    words = [*MOODS, *THINGS[:4]]
    matrix = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    return WordVectors(WordVocabulary(words, np.zeros(len(words))), matrix, {})


@pytest.fixture(scope="session")
def bundles(small_params: Params, prepared: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Place of KINDS -> folder of an exported bundle."""

    def make(root: Path) -> None:
        torch.manual_seed(0)
        for task, kind in KINDS.items():
            settings = small_params.task(task)
            export(task, settings, build_model(settings, prepared[task]), prepared[task], root / kind)

    root = made_once(tmp_path_factory, "bundles", make)
    return {kind: root / kind for kind in KINDS.values()}


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the processes which run these tests makes, and all of them read."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make(folder := factory.mktemp(name))
        return folder
    folder = factory.getbasetemp().parent / name  # of this run, and above each process's own
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            make(partial := factory.mktemp(name))
            partial.rename(folder)
    return folder
