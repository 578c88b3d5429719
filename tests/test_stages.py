"""dvc.yaml names the code that each stage runs: a change to it has to rerun the stage."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ROOMS = {"models", "pipelines", "serving"}
PIPELINES = {
    path: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in [ROOT / "dvc.yaml", *ROOT.glob("pipelines/studies/*/dvc.yaml")]
}
# What reads settings, tracks, records, describes the machine and reports errors, and does not change what a stage makes.
FRAME = (
    {"serving/cpu.py"}
    | {f"models/{part}/names.py" for part in ("attention", "recurrent", "seq2seq")}
    | {
        "pipelines/" + name
        for name in (
            "catalogue.py",
            "delivery.py",
            "params.py",
            "paths.py",
            "progress.py",
            "record.py",
            "settings",
            "stage.py",
            "tracker_client.py",
            "tracking.py",
            "tracking_server.py",
        )
    }
)


def module_file(name: str) -> Path | None:
    """The file of a module of ours."""
    path = ROOT.joinpath(*name.split("."))
    candidates = [path.with_suffix(".py"), path / "__init__.py"]
    return next((p for p in candidates if name.split(".")[0] in ROOMS and p.is_file()), None)


def imported(path: Path) -> Iterator[Path]:
    """Files of ours that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from filter(None, map(module_file, names))


def closure(path: Path) -> set[Path]:
    """The file and all that it imports, directly or not."""
    found, waiting = set(), [path]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += imported(file)
    return found


def stages() -> Iterator[tuple[str, str, set[str]]]:
    """Name, module, and dependencies of each stage, those of all items of a templated one."""
    for content in PIPELINES.values():
        for name, stage in content["stages"].items():
            body, items = stage.get("do", stage), stage.get("foreach")
            rows = list(items.values()) if isinstance(items, dict) else []
            models = {row["model"] for row in rows} if "${item.model}" in body["deps"] else set()
            deps = {dep for dep in body["deps"] if "${" not in dep} | models
            yield name, body["cmd"].split()[2], deps


@pytest.mark.parametrize(("name", "module", "deps"), list(stages()), ids=[name for name, _, _ in stages()])
def test_a_stage_depends_on_the_code_it_runs(name: str, module: str, deps: set[str]) -> None:
    start = module_file(f"{module}.__main__") or module_file(module)
    assert start is not None, f"{name} runs {module}, which there is not"
    files = {str(path.relative_to(ROOT)) for path in closure(start) if path.name != "__init__.py"}
    listed = deps | FRAME
    missing = {file for file in files if not any(file == dep or file.startswith(f"{dep}/") for dep in listed)}
    assert sorted(missing) == []
