"""What the site shows comes from the project's files, and what no longer exists stops its build."""

import re
from pathlib import Path

import pytest

from pipelines.report.site import excerpts, interfaces, macros, rest
from pipelines.stage import StageError
from serving.command_line import GROUP

ROOT = Path(__file__).parents[3]
CELL = """class Cell:
    @staticmethod
    def name():
        return "cell"


def other():
    return 1
"""


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_method_is_shown_without_its_surroundings(tmp_path: Path) -> None:
    file = tmp_path / "cell.py"
    file.write_text(CELL, encoding="utf-8")
    shown = excerpts.code(str(file), "Cell.name").splitlines()
    assert shown[0].startswith("```python")
    assert shown[1:] == ["@staticmethod", "def name():", '    return "cell"', "```"]


def test_what_no_longer_exists_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "cell.py"
    file.write_text(CELL, encoding="utf-8")
    with pytest.raises(StageError, match=r"Cell\.gone"):
        excerpts.code(str(file), "Cell.gone")
    with pytest.raises(StageError, match=r"gone\.py"):
        excerpts.source(str(tmp_path / "gone.py"))
    with pytest.raises(StageError, match="no such figure"):
        macros.figure("metrics/train/surname.json", "gone", "d")
    with pytest.raises(KeyError):
        macros.table("gone")


def test_links_between_readmes_lead_to_their_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker").mkdir()
    text = "[server](../serving/README.md#keys) [file](compose.yaml) [out](https://example.org) [here](#here)"
    (tmp_path / "docker/README.md").write_text(text, encoding="utf-8")
    shown = excerpts.readme("docker/README.md", {"serving/README.md": "operate.md"})
    assert shown == "[server](operate.md#keys) file [out](https://example.org) [here](#here)"


def test_every_verb_and_target_is_described() -> None:
    verbs = re.findall(r"^## seqline ([\w-]+)$", interfaces.commands(), re.MULTILINE)
    assert {"new", "up", "ask", "repro"} <= set(verbs)
    assert GROUP
    assert "| `make repro` |" in interfaces.targets()


def test_a_parameter_is_shown_with_its_limits() -> None:
    shown = rest.schemas()
    (line,) = [line for line in shown.splitlines() if line.startswith("| `num_beams`")]
    assert "≥ 1" in line
    assert "≤ 10" in line
    assert "/predictions/fr-en" in rest.endpoints()


def test_every_metric_of_a_server_is_described() -> None:
    assert "| `seqline_requests` | counter |" in interfaces.exported()


def test_a_kind_has_its_figures() -> None:
    assert "| `bleu` |" in interfaces.kinds()
