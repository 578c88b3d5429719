"""dvc.yaml lists the code that each stage runs: a change to it must rerun the stage, and a change to other code must not."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ROOMS = {"models", "pipelines", "serving"}
KINDS = sorted(path.parent.name for path in ROOT.glob("pipelines/kinds/*/__init__.py"))
# The module that each function of pipelines.kinds.parts imports by its name.
PARTS = {name: name for name in ("data", "model", "training", "graphs", "evaluation", "lineage", "showing")} | {
    "build": "model",
    "series_data": "data",
}
PIPELINES = {
    path: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in [ROOT / "dvc.yaml", *ROOT.glob("pipelines/studies/*/dvc.yaml")]
}
# Code for settings, tracking, records, machine information and error reports, which does not affect the output of a stage.
FRAME = (
    {"models/names.py", "models/text/closest.py", "models/text/json_files.py"}
    | {"pipelines/kinds/__init__.py", "pipelines/kinds/blocks.py"}
    | {f"pipelines/kinds/{kind}/{part}.py" for kind in KINDS for part in ("__init__", "settings")}
    | {"serving/cpu.py", "serving/endpoints/kinds.py", "pipelines/__init__.py"}
    | {
        "pipelines/" + name
        for name in (
            "data/__init__.py",
            "data/catalogue.py",
            "paths.py",
            "progress.py",
            "report/__init__.py",
            "report/record.py",
            "settings",
            "stage.py",
            "stages/__init__.py",
            "tracking",
        )
    }
)

MADE = {"serving/openapi.json"}  # written by a stage
PACKED = {"serving/handlers/sequence.py", "serving/handlers/registered.py"}  # packed into archives or the registry, not run


class Stage(NamedTuple):
    """A stage of a dvc.yaml; for a templated stage, all its items."""

    name: str
    module: str
    deps: frozenset[str]


def stages() -> Iterator[Stage]:
    for content in PIPELINES.values():
        for name, stage in content["stages"].items():
            body = stage.get("do", stage)
            deps = {dep.replace("${item.kind}", kind) for dep in body["deps"] for kind in KINDS}
            yield Stage(name, body["cmd"].split()[2], frozenset(dep for dep in deps if "${" not in dep))


def module_file(name: str) -> Path | None:
    """The file of one of the project's modules."""
    path = ROOT.joinpath(*name.split("."))
    candidates = [path.with_suffix(".py"), path / "__init__.py"]
    return next((p for p in candidates if name.split(".")[0] in ROOMS and p.is_file()), None)


def imported(path: Path, kinds: Iterable[str]) -> Iterator[Path]:
    """The project's files that a file imports at any level, including those of the given kinds of task imported by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    types = {node for block in ast.walk(tree) if _is_for_types(block) for node in ast.walk(block)}
    names: list[str] = []
    for node in (node for node in ast.walk(tree) if node not in types):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    names += re.findall(r'"(pipelines[\w.]+):\w+"', path.read_text(encoding="utf-8"))  # called where MLflow is imported
    if "pipelines.kinds.parts" in names:
        called = {match for match in re.findall(r"\bparts\.(\w+)\(", path.read_text(encoding="utf-8")) if match in PARTS}
        called |= {name for name in PARTS if f"pipelines.kinds.parts.{name}" in names}
        names += [f"pipelines.kinds.{kind}.{PARTS[name]}" for name in called for kind in kinds]
    yield from filter(None, map(module_file, names))


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def code_of(stage: Stage) -> set[str]:
    """The files that a stage runs, without package files that only have a docstring."""
    start = module_file(f"{stage.module}.__main__") or module_file(stage.module)
    assert start is not None, f"{stage.name} runs {stage.module}, which does not exist"
    kinds = [kind for kind in KINDS if any(dep.startswith(f"pipelines/kinds/{kind}/") for dep in stage.deps)]
    found, waiting = set[Path](), [start]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += imported(file, kinds)
    return {str(path.relative_to(ROOT)) for path in found if len(ast.parse(path.read_text(encoding="utf-8")).body) > 1}


def holds(dep: str, file: str) -> bool:
    return file == dep or file.startswith(f"{dep}/")


@pytest.mark.parametrize("stage", list(stages()), ids=lambda stage: stage.name)
def test_a_stage_depends_on_the_code_it_runs(stage: Stage) -> None:
    missing = {file for file in code_of(stage) if not any(holds(dep, file) for dep in stage.deps | FRAME)}
    assert sorted(missing) == []


@pytest.mark.parametrize("stage", list(stages()), ids=lambda stage: stage.name)
def test_a_stage_depends_only_on_the_code_it_runs(stage: Stage) -> None:
    files = code_of(stage)
    ours = {dep for dep in stage.deps - PACKED if dep.split("/")[0] in ROOMS and dep not in MADE}
    assert sorted(dep for dep in ours if not any(holds(dep, file) for file in files)) == []


def test_git_tracks_no_dvc_output() -> None:
    """DVC refuses outputs that are also tracked by Git, so that a fresh clone could not run the stage."""
    bodies = [stage.get("do", stage) for stage in PIPELINES[ROOT / "dvc.yaml"]["stages"].values()]
    outs = [
        re.sub(r"\\\$\\\{.+?\\\}", "[^/]+", re.escape(out))
        for body in bodies
        for out in body.get("outs", [])
        if isinstance(out, str)
    ]
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    made = {out["path"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
    kept = sorted(path for path in made if any(re.fullmatch(out, path) for out in outs))
    assert "plots/evaluate/surname" in kept
    listed = subprocess.run(["git", "ls-files", "--", *kept], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == []
