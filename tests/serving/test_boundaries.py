"""The rooms of the house: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("models", "pipelines", "serving")


def imports(path: Path) -> set[str]:
    """The project's modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in ROOMS}


def crossing(room: str, *allowed: str) -> list[str]:
    files = (ROOT / room).rglob("*.py")
    found = [(path.relative_to(ROOT), name) for path in files for name in imports(path)]
    return [f"{path} imports {name}" for path, name in found if not f"{name}.".startswith(tuple(f"{a}." for a in allowed))]


def test_models_know_no_other_room():
    assert crossing("models", "models") == []


def test_serving_knows_the_text_units_only():
    assert crossing("serving", "serving", "models.text") == []


def test_nothing_imports_pipelines_but_pipelines():
    assert crossing("pipelines", *ROOMS) == []
    assert [c for room in ("models", "serving") for c in crossing(room, "models", "serving")] == []


def test_serving_loads_without_torch_and_torchserve():
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "serving").rglob("*.py")]
    outside = [path for path in files if "handlers" not in path.parts and path.name != "__main__"]
    modules = sorted(".".join(path.parts).removesuffix(".__init__") for path in outside)
    code = f"import importlib, sys\nfor m in {modules}: importlib.import_module(m)\nprint({{'torch', 'ts'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"
