"""The README, the other pages and the help text agree with the project."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.report import pages as report
from pipelines.stage import StageError

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(page for room in ("docker", "lessons", "profiles", "serving") for page in (ROOT / room).rglob("*.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_command_exists(document: Path) -> None:
    named = re.findall(r"(?:`|^\$ |=\S+ )make ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= TARGETS


def test_readme_names_commands_and_is_short() -> None:
    assert {"repro", "serve", "docs"} <= set(re.findall(r"make ([a-z-]+)", README))
    assert len(README.splitlines()) <= 150


def test_help_lists_every_target() -> None:
    assert set(re.findall(r"^  make ([a-z-]+) +\S", run("make", "--no-print-directory", "help"), re.MULTILINE)) == TARGETS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_results_and_answers_match_the_files() -> None:
    report.check()


@pytest.mark.parametrize(("page", "section"), [(page, section) for page, made in report.PAGES.items() for section in made])
def test_a_wrong_number_is_detected(page: Path, section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if report.PAGES[page][section]() is None:
        pytest.skip("models are not built here")
    changed = tmp_path / page.name
    end = f"<!-- {section}:end -->"
    changed.write_text((ROOT / page).read_text(encoding="utf-8").replace(end, f"| accuracy | 1.000 | |\n{end}"))
    monkeypatch.setattr(report, "PAGES", {changed: report.PAGES[page]})
    with pytest.raises(StageError, match=rf"{page.name} differs .* --write"):
        report.check()


def test_a_missing_marker_is_named() -> None:
    with pytest.raises(StageError, match="headline:begin"):
        report.render(Path("README.md"), README.replace("<!-- headline:begin -->", ""))


def test_the_diagram_shows_the_graph_of_stages() -> None:
    graph = run(sys.executable, "-m", "dvc", "dag", "--mermaid")
    stages = dict(re.findall(r'(node\d+)\["([a-z-]+)(?:@[^"]+)?"\]', graph))
    arrows = re.findall(r"(node\d+)-->(node\d+)", graph)
    edges = {(stages[a], stages[b]) for a, b in arrows if a in stages and b in stages}  # stages of studies are not drawn
    assert set(re.findall(r"^ +([\w-]+) --> ([\w-]+)$", README, re.MULTILINE)) == edges


def test_stages_are_described_in_order() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    page = (ROOT / "docs/reference/stages.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(stages)


def test_every_override_names_a_parameter() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    lines = [line for path in (ROOT / "profiles").glob("*.txt") for line in path.read_text(encoding="utf-8").splitlines()]
    keys = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    keys += [key for page in DOCUMENTS for key in re.findall(r"-S (tasks[\w.-]+)=", page.read_text(encoding="utf-8"))]
    assert [key for key in keys if not exists(params, key)] == []


def exists(params: object, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(params, dict) or part not in params:
            return False
        params = params[part]
    return True
