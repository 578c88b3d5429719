"""The files of a stage of dvc.yaml, with their digests as in dvc.lock."""

from pathlib import PurePath
from typing import Final

from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage
from dvc.stage.exceptions import StageNotFound
from dvc_data.hashfile.build import build

MADE: Final = ("build", "data", "metrics", "plots")  # folders of what stages make; all other dependencies are code
DVC_FILE: Final = "dvc.yaml"


def find_stage(stage: str, task: str) -> Stage | None:
    """The stage of dvc.yaml that a tracked stage is: STAGE@TASK, or STAGE-vectors@TASK; None if it is in no pipeline."""
    try:
        stages = Repo().stage
        for name in (f"{stage}@{task}", f"{stage}-vectors@{task}"):
            try:
                return stages.load_one(DVC_FILE, name)
            except StageNotFound:
                continue
    except DvcException:  # not a DVC repository, for example
        pass
    return None


def data_of(stage: Stage) -> list[Output]:
    """The dependencies of a stage that other stages have made."""
    return [dependency for dependency in stage.deps if PurePath(dependency.def_path).parts[0] in MADE]


def digest_of(out: Output) -> str:
    """The md5 of a file or folder, as DVC computes it: from its content, or from the cache of digests; empty if it is missing."""
    if not out.exists:
        return ""
    _, _, found = build(out.repo.cache.local, out.fs_path, out.fs, "md5", ignore=out.dvcignore, dry_run=True)
    return str(found.hash_info.value)
