"""Turns a user's files into a block of params.yaml and an entry of the catalogue, which are tested before they are written."""

from importlib import import_module
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from pipelines.data.catalogue import load_catalogue
from pipelines.data.prepared import read_texts
from pipelines.data.preparing import prepare
from pipelines.kinds.blocks import kinds
from pipelines.new.blocks import with_block, with_data_set, with_entry
from pipelines.new.collecting import Collected, collect
from pipelines.new.facts import Facts, alike
from pipelines.new.series.making import make_series
from pipelines.new.telling import told_texts
from pipelines.new.vectors import make_vectors
from pipelines.new.wish import Made, Wish
from pipelines.paths import CATALOGUE, PARAMS
from pipelines.settings.errors import closest
from pipelines.settings.params import Params, checked
from pipelines.settings.section import NONE
from pipelines.settings.tasks import SeriesTask, TextTask
from pipelines.settings.vectors import PretrainedVectors
from pipelines.stage import StageError

KINDS = Path(__file__).parents[1] / "kinds"
SIZES = {"raw/glove-6b-50d": 50, "raw/glove-6b": 50}  # dimensions of pretrained vectors for English
VECTORS = "vectors"  # not a kind of task, but created in the same way
PLACEHOLDERS = {"generation": '      - {"text": "", "label": "any"}'}


def make(wish: Wish) -> Made:
    """Inspect the data, choose sizes, and prepare the data once as a test. Writes nothing.

    Raises:
        StageError: the name is taken, or the data is not suitable for the task.
    """
    if wish.kind not in (known := [*kinds(), VECTORS]):
        raise StageError(f"there is no kind {wish.kind!r}{closest(wish.kind, known)}")
    text, listed = PARAMS.read_text(encoding="utf-8"), CATALOGUE.read_text(encoding="utf-8")
    params = checked(yaml.safe_load(text), Params, str(PARAMS))
    if wish.name in load_catalogue(CATALOGUE) or wish.name in params.names:
        raise StageError(f"the name {wish.name!r} is taken; choose another, or `seqline remove {wish.name}` first")
    if wish.kind == VECTORS:
        return make_vectors(wish, text, listed)
    if _reads_series(wish.kind):
        return make_series(wish, text, listed)
    if wish.inputs:
        raise StageError("--inputs is only for series: --kind forecasting")
    if wish.methods:
        raise StageError("--method is only for word vectors: --kind vectors")
    proposal = import_module(f"pipelines.kinds.{wish.kind}.proposal")
    with TemporaryDirectory(prefix="seqline-") as scratch:
        raw = Path(scratch) / "raw"
        raw.mkdir()
        data = collect(wish, proposal.NEEDED, raw)
        proposal.check(data.facts)
        block = _block(wish, data, proposal, params)
        text = with_data_set(text, wish.name)
        whole = with_block(text, "tasks", wish.name, block.replace("$examples", PLACEHOLDERS.get(wish.kind, '["..."]')))
        task = checked(yaml.safe_load(whole), Params, str(PARAMS)).task_of(wish.name, TextTask)
        if task.data.vectors != NONE:  # they may not exist yet
            task = task.model_copy(update={"data": task.data.model_copy(update={"vectors": NONE})})
        statistics = prepare(task, data.sources, raw, Path(scratch) / "prepared", params.seed)
        shown = proposal.examples(read_texts(Path(scratch) / "prepared", "valid", 1000))
    finished = with_block(text, "tasks", wish.name, block.replace("$examples", shown))
    checked(yaml.safe_load(finished), Params, str(PARAMS))
    found = list(told_texts(data.facts, statistics))
    return Made(finished, with_entry(listed, wish.name, data.entry), found, _warnings(data.facts))


def _reads_series(kind: str) -> bool:
    block = import_module(f"pipelines.kinds.{kind}.settings").BLOCK  # one type, or a union
    return isinstance(block, type) and issubclass(block, SeriesTask)


def _block(wish: Wish, data: Collected, proposal: Any, params: Params) -> str:
    """The task's block, with a placeholder for its examples."""
    units = wish.units or proposal.units(data.facts)
    if units not in proposal.UNITS:
        raise StageError(f"the kind {wish.kind} does not support the units {units!r}{closest(units, proposal.UNITS)}")
    pretrained = {
        f"{method.vectors}/{name}": SIZES[method.data]
        for name, method in params.methods.items()
        if isinstance(method, PretrainedVectors) and method.data in SIZES
    }
    languages = dict(zip(("source", "target"), data.entry["rows"][0].get("languages", ()), strict=False))
    title = f"{wish.kind} of {', '.join(Path(place).name for place in wish.data)}"
    values = proposal.values(wish.name, title, data.facts, units, pretrained, languages)
    template = Template((KINDS / wish.kind / "blocks" / f"{units}.yaml").read_text(encoding="utf-8"))
    return template.substitute(values, examples="$examples")


def _warnings(facts: Facts) -> list[str]:
    return [f"the labels {', '.join(map(repr, some))} differ only in case or white space" for some in alike(facts.labels)]
