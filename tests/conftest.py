"""A small bundle of each kind, exported by the pipeline's own code from models with random weights."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_sets import data_set, json_lines
from filelock import FileLock
from forecasters import LOSSES, make_forecasters
from hypothesis import settings

from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.data.preparing import prepare
from pipelines.kinds.classification import data as classification
from pipelines.kinds.parts import build
from pipelines.settings.params import Params, load_params
from pipelines.settings.tasks import TextTask
from pipelines.stage import threads
from pipelines.stages.export import export

# Long tests start first, so that short ones fill the gaps at the end.
LONGEST_FIRST = ("pipeline", "live", "slow")
PROCESSES = threads()  # for `pytest -n auto`; read before the setting below changes it

# Such small models gain nothing from more threads, and tests run in parallel. Child processes inherit the setting.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# Timing of examples is meaningless on a shared machine.
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
MOODS = ("bad", "good", "dull", "funny", "slow", "warm")  # negative and positive in turn
THINGS = ("cast", "ending", "film", "plot", "score")

SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "surname": {
        "prepare": {"valid_size": 0.2, "test_size": 0.2},
        "model": {"embedding_size": 8, "hidden_size": 16, "ngram_buckets": 64},
    },
    "names": {
        "prepare": {"valid_size": 0.2, "test_size": 0.2},
        "export": {"max_length": 12},
        "model": {"embedding_size": 8, "hidden_size": 16, "label_size": 4},
    },
    "fr-en": {
        "prepare": {"vocabulary_size": 300, "valid_size": 4, "test_size": 4},
        "model": {"embedding_size": 8, "encoder_size": 8, "hidden_size": 16, "attention_size": 8},
    },
    "sentiment": {
        "prepare": {"vocabulary_size": 10},
        "model": {"embedding_size": 8, "hidden_size": 16, "attention_size": 8, "ngram_buckets": 64},
    },
}
# Name of each task's bundle: its kind, or the task's own name if another task has that kind.
KINDS = {"surname": "classification", "names": "generation", "fr-en": "translation", "sentiment": "sentiment"}


def pytest_xdist_auto_num_workers() -> int:
    """The number of processes that run the tests."""
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
    """The settings of params.yaml with all sizes small."""
    content = load_params().model_dump(by_alias=True)
    content["precision"] = "fp32"  # the measured choice could vary from run to run on a busy machine
    for task, blocks in SMALL.items():
        for block, values in blocks.items():
            content["tasks"][task][block] |= values
    return Params.model_validate(content)


@pytest.fixture(scope="session")
def prepared(small_params: Params, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Task -> folder of a prepared data set."""
    root = tmp_path_factory.mktemp("prepared")
    glove().save(root / "vectors" / small_params.task("sentiment").data.vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification, "VECTORS", root / "vectors")
        for task in KINDS:
            raw = root / "raw" / task
            prepare(small_params.task_of(task, TextTask), data_set(json_lines(raw, ROWS[task]())), raw, root / task, 1)
    return {task: root / task for task in KINDS}


def names() -> list[dict[str, str]]:
    """Surnames with their nationality."""
    return [{"text": name, "label": label} for label, of_it in NAMES.items() for name in of_it]


def pairs() -> list[dict[str, str]]:
    """Sentences with their translations, in groups that have one of each."""
    sides = list(zip(FRENCH, ENGLISH, strict=True))
    return [{"source": f"{s} {n}", "target": f"{t} {n}", "group": n} for n in "abcdef" for s, t in sides]


def snippets() -> list[dict[str, str]]:
    """Sentences with a label; all sentences about one thing are in the same split."""
    split = {**dict.fromkeys(THINGS[:3], "train"), THINGS[3]: "valid", THINGS[4]: "test"}
    labels = ("negative", "positive")
    return [
        {"text": f"a {mood} {thing}", "label": labels[i % 2], "split": split[thing]}
        for thing in THINGS
        for i, mood in enumerate(MOODS)
    ]


ROWS = {"surname": names, "names": names, "fr-en": pairs, "sentiment": snippets}


def glove() -> WordVectors:
    """Random vectors for most words of `snippets`."""
    words = [*MOODS, *THINGS[:4]]
    matrix = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    return WordVectors(WordVocabulary(words, np.zeros(len(words))), matrix, {})


@pytest.fixture(scope="session")
def bundles(small_params: Params, prepared: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Value in KINDS -> folder of an exported bundle."""

    def make(root: Path) -> None:
        torch.manual_seed(0)
        for task, kind in KINDS.items():
            settings = small_params.task(task)
            export(task, settings, build(settings, prepared[task]), prepared[task], root / kind)

    root = made_once(tmp_path_factory, "bundles", make)
    return {kind: root / kind for kind in KINDS.values()}


@pytest.fixture(scope="session")
def forecasters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Loss -> folder of a forecaster's bundle; its prepared data is in `prepared` in the parent folder."""
    root = made_once(tmp_path_factory, "forecasters", make_forecasters)
    return {loss: root / loss for loss in LOSSES}


@pytest.fixture(autouse=True)
def no_tracking_address_left() -> Iterator[None]:
    """Unset MLflow's tracking address, which MLflow puts into the environment that later tests inherit."""
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the test processes creates and all of them read."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make(folder := factory.mktemp(name))
        return folder
    folder = factory.getbasetemp().parent / name  # the run's folder, shared by all processes
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            make(partial := factory.mktemp(name))
            partial.rename(folder)
    return folder
