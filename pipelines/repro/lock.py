"""Updates dvc.lock one stage at a time.

DVC parses and rewrites the whole file after each stage. With a hundred stages this takes seconds each time, during which no stage
starts. Here only the lines of one stage are replaced; the resulting file is byte-identical.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from dvc.dvcfile import LOCK_FILE
from dvc.stage import PipelineStage, Stage
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml

HEAD = "schema: '2.0'\nstages:\n"
STAGE = re.compile(r"^(?=  \S)", re.MULTILINE)
ANCHOR = re.compile(r"(?<=[:-] )([&*])(id\d+)$", re.MULTILINE)  # what YAML repeats in a stage: `&id001` and each `*id001`


def record(stage: Stage) -> None:
    """Write a stage's dependencies and outputs, as `stage.dump(update_pipeline=False)` does.

    Args:
        stage: a stage that has been saved.
    """
    text = _text(stage)
    if not text.startswith(HEAD) or "\ndatasets:" in text:
        stage.dump(update_pipeline=False)
        return
    written = dumps_yaml({"stages": to_lockfile(stage)}).removeprefix("stages:\n")
    name = written.partition("\n")[0]
    before = STAGE.split(text.removeprefix(HEAD))
    places = [i for i, lines in enumerate(before) if lines.partition("\n")[0] == name]
    after = [written if i in places else lines for i, lines in enumerate(before)] + ([] if places else [written])
    path = _path(stage)
    path.write_text(HEAD + "".join(_numbered(after)), encoding="utf-8")
    stage.repo.scm_context.track_file(stage.repo.fs.relpath(str(path)))


def _numbered(stages: Iterable[str]) -> Iterator[str]:
    """Number the anchors through the whole file, in the order of the first reference to each, as DVC's YAML library does.

    Each stage is written with numbers of its own, from 1 on.
    """
    count = itertools.count(1)
    for lines in stages:
        references = dict.fromkeys(name for sign, name in ANCHOR.findall(lines) if sign == "*")
        names = {old: f"id{next(count):03d}" for old in references}
        yield ANCHOR.sub(partial(_renamed, names), lines)


def _renamed(names: Mapping[str, str], match: re.Match[str]) -> str:
    return match[1] + names[match[2]]


def _text(stage: Stage) -> str:
    """The file's content; empty if it does not exist or the stage is not in a dvc.yaml."""
    path = _path(stage)
    return path.read_text(encoding="utf-8") if isinstance(stage, PipelineStage) and path.exists() else ""


def _path(stage: Stage) -> Path:
    return Path(stage.path).with_name(LOCK_FILE)
