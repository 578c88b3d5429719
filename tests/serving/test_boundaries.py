"""Which package may import which."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("models", "pipelines", "serving")
WITHOUT_TORCH = ("models.names", "models.series", "models.text")
PLAIN = {"models.names": ".py"}  # single modules; the others are packages


def imports(path: Path) -> set[str]:
    """The project's modules that a file imports, at any level."""
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


def test_models_import_no_other_package() -> None:
    assert crossing("models", "models") == []


def test_serving_imports_only_texts_series_and_names_from_models() -> None:
    assert crossing("serving", "serving", *WITHOUT_TORCH) == []


def test_the_server_image_contains_what_serving_imports() -> None:
    copied = re.findall(r"^COPY (models/.*) /app/", (ROOT / "docker/serve/Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    places = {place for line in copied for place in line.split()}
    assert places == {"models/__init__.py"} | {f"{name.replace('.', '/')}{PLAIN.get(name, '')}" for name in WITHOUT_TORCH}


def test_only_pipelines_imports_pipelines() -> None:
    assert crossing("pipelines", *ROOMS) == []
    assert [c for room in ("models", "serving") for c in crossing(room, "models", "serving")] == []


def test_serving_loads_without_torch_and_torchserve() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "serving").rglob("*.py")]
    outside = [path for path in files if "handlers" not in path.parts and path.name != "__main__"]
    modules = sorted(".".join(path.parts).removesuffix(".__init__") for path in outside)
    code = f"import importlib, sys\nfor m in {modules}: importlib.import_module(m)\nprint({{'torch', 'ts'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"


def consoles(path: Path) -> Iterator[ast.Call]:
    """The calls in a file that create a console."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console":
            yield node


def test_no_console_converts_text_to_emoji() -> None:
    made = [(path, call) for room in ROOMS for path in (ROOT / room).rglob("*.py") for call in consoles(path)]
    assert len(made) > 5
    assert [str(path) for path, call in made if not any(keyword.arg == "emoji" for keyword in call.keywords)] == []
