"""Undoes `seqline new`, and updates the catalogue after a data file has changed."""

import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import yaml

from pipelines.data.catalogue import Local, load_catalogue
from pipelines.new.blocks import entry_place, without_block, without_entry, without_unused, write_both
from pipelines.new.feedback import feedback_file, waiting_file, with_feedback
from pipelines.new.files import measured
from pipelines.paths import BUNDLES, CATALOGUE, LOCK, METRICS, PARAMS, PLOTS, PREPARED, RAW, REGISTERED, STORE, VECTORS, WEIGHTS
from pipelines.settings.errors import closest
from pipelines.settings.params import Params, checked, load_params
from pipelines.stage import StageError


def take_out(name: str) -> None:
    """Remove a task or word vectors from params.yaml and the catalogue, and delete all outputs and rows of feedback.

    A data set that is used elsewhere is kept.

    Raises:
        StageError: the name does not exist, it is the only task, or another task starts from its vectors.
    """
    params, text = load_params(), PARAMS.read_text(encoding="utf-8")
    if name not in params.served:
        raise StageError(f"there is no task {name!r}{closest(name, params.served)}")
    blocks = _vectors_blocks(params, name) if name in params.vectors else [("tasks", name)]
    for section, block in blocks:
        text = without_block(text, section, block)
    checked(yaml.safe_load(text), Params, f"without {name}, {PARAMS}")
    listed, own = CATALOGUE.read_text(encoding="utf-8"), {name, with_feedback(name)} & {*load_catalogue(CATALOGUE)}
    for data_set in (*_data_sets(params, blocks), *own):
        text = without_unused(text, data_set)
    unused = own.difference(yaml.safe_load(text)["datasets"])
    for data_set in unused:
        listed = without_entry(listed, data_set)
    write_both({PARAMS: text, CATALOGUE: listed})
    names = unused | {block for _, block in blocks}
    if LOCK.exists():
        LOCK.write_text(without_stages(LOCK.read_text(encoding="utf-8"), names), encoding="utf-8")
    for path in (path for one in names for path in made_of(one)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for ignored in PLOTS.glob("*/.gitignore"):  # DVC's
        lines = ignored.read_text(encoding="utf-8").splitlines(keepends=True)
        ignored.write_text("".join(line for line in lines if line.strip() != f"/{name}"), encoding="utf-8")


def _vectors_blocks(params: Params, name: str) -> list[tuple[str, str]]:
    """Section and name of the blocks that define word vectors: their own, their methods', and corpora that only these use."""
    methods = params.methods_of(name)
    others = {method.data for one, method in params.methods.items() if one not in methods}
    others |= {f"prepared/{block.evaluate.corpus}" for one, block in params.vectors.items() if one != name}
    own = {method.data for method in methods.values()} - others
    corpora = [corpus for corpus in params.corpora if f"prepared/{corpus}" in own]
    blocks = {"vectors": [name], "methods": methods, "corpora": corpora}
    return [(section, block) for section, found in blocks.items() for block in found]


def _data_sets(params: Params, blocks: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The data sets that some blocks read directly."""
    for section, name in blocks:
        if section == "tasks":
            yield params.task(name).data.set
        elif section == "corpora":
            yield params.corpus(name).data.set
        elif section == "methods":
            yield params.method(name).data.removeprefix("raw/")


def made_of(name: str) -> Iterator[Path]:
    """The files and folders that stages and `seqline retrain` write for a block and its data set."""
    folders = [RAW / name, PREPARED / name, VECTORS / name, WEIGHTS / name, BUNDLES / name, PLOTS / "evaluate" / name]
    files = [METRICS / f"{name}.json", *METRICS.glob(f"*/{name}.json"), PLOTS / "train" / f"{name}.csv"]
    files += [REGISTERED / f"{name}.json", STORE / f"{name}.mar", STORE / f"{name}.sha256"]
    files += [feedback_file(name), waiting_file(name)]
    return (path for path in (*folders, *files) if path.exists())


def without_stages(lock: str, names: Collection[str]) -> str:
    """dvc.lock without the stages of some blocks and their data sets."""
    kept, dropping = list[str](), False
    for line in lock.splitlines(keepends=True):
        if found := re.match(r"  (\S+?)(?:@(\S+))?:", line):
            dropping = found[2] in names
        if not dropping:
            kept.append(line)
    return "".join(kept)


def take_in(name: str) -> list[str]:
    """Update the catalogue to the current files of a data set, or of a task: of its own data set and the one that it reads.

    Returns:
        a line for each changed file, with its old and new sha256.

    Raises:
        StageError: there is no such data set, or one of its files is missing.
    """
    text, lines = CATALOGUE.read_text(encoding="utf-8"), dict[str, None]()
    for data_set in _sets(name):
        first, last = entry_place(text, data_set)
        entry = text[first:last]
        for path, size, sha256, old_size, old in changed(data_set):
            entry = entry.replace(old, sha256).replace(f"size: {old_size}\n", f"size: {size}\n")
            lines[f"{path}: sha256 {old} is now {sha256}"] = None
        text = text[:first] + entry + text[last:]
    write_both({CATALOGUE: text})
    return list(lines)


def _sets(name: str) -> Collection[str]:
    """A data set, or those of a task: its own, which `seqline new` has given its name, and the one that it reads."""
    tasks = load_params().tasks
    if name not in tasks:
        return [name]
    return {name, tasks[name].data.set} & {*load_catalogue(CATALOGUE)}


def changed(name: str) -> Iterator[tuple[Path, int, str, int, str]]:
    """The files of a data set that differ from the catalogue: path, size, sha256, and the recorded size and sha256."""
    catalogue = load_catalogue(CATALOGUE)
    if name not in catalogue:
        raise StageError(f"there is no data set {name!r} in {CATALOGUE}")
    for file in catalogue[name].files:
        for source in file.sources:
            if not isinstance(source, Local):
                continue
            path = source.path
            if not path.exists():
                raise StageError(f"{path} is missing; restore it, or run `seqline remove {name}`")
            size, sha256 = measured(path)
            if sha256 != file.sha256:
                yield path, size, sha256, file.size, file.sha256
