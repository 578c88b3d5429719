"""The labs: each patch plants its mistake in the real code, shows its symptom, and is caught by the test that its page names."""

import re
import runpy
from pathlib import Path

import pytest
from lesson_files import ROOT

from lessons.labs.catch import LABS, MISTAKES, copy_project, plant, run_python, run_tests

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "labs").glob("*.md")}
PAGE = PAGES["index"]
every_mistake = pytest.mark.parametrize("mistake", MISTAKES)


def probe_of(mistake: str) -> str:
    return f"lessons.labs.probes.{mistake.replace('-', '_')}"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    copy_project(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_without_a_mistake_every_named_test_passes(copied: Path) -> None:
    found = run_tests(copied, *MISTAKES.values())
    assert not found.failed, found.output
    assert found.passed >= len(MISTAKES)


@pytest.mark.slow
@every_mistake
def test_a_planted_mistake_shows_and_is_caught(mistake: str, copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module(probe_of(mistake), run_name="__main__")
    before = capsys.readouterr().out
    plant(copied, mistake)
    shown = run_python(copied, "-m", probe_of(mistake))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() != before.splitlines(), "the mistake has no symptom"
    found = run_tests(copied, MISTAKES[mistake])
    assert found.by_assertion, found.output


@every_mistake
def test_the_page_says_what_to_do(mistake: str) -> None:
    (section,) = (part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if f"-C1 lessons/labs/{mistake}.patch\n" in part)
    assert f"$ git apply --recount -C1 lessons/labs/{mistake}.patch\n$ python -m {probe_of(mistake)}\n" in section
    assert f"$ python -m pytest {MISTAKES[mistake]}\n$ git apply --recount -C1 -R lessons/labs/{mistake}.patch\n" in section
    assert "**Symptom.** " in section
    assert '??? question "' in section


def test_patches_probes_and_mistakes_are_the_same() -> None:
    assert {path.stem for path in LABS.glob("*.patch")} == set(MISTAKES)
    probes = {path.stem.replace("_", "-") for path in (LABS / "probes").glob("*.py")} - {"tiny"}
    assert probes == set(MISTAKES)


@every_mistake
def test_a_patch_changes_code_of_the_rooms_alone(mistake: str) -> None:
    patch = (LABS / f"{mistake}.patch").read_text(encoding="utf-8")
    assert {name.partition("/")[0] for name in re.findall(r"^\+\+\+ b/(\S+)$", patch, re.MULTILINE)} <= {
        "models",
        "pipelines",
        "serving",
    }
    changed = re.findall(r"^[-+](?![-+]{2} )(.*)$", patch, re.MULTILINE)
    assert 1 < len(changed) <= 8, "a classic mistake is small"
    assert not any(line.lstrip().startswith(("#", '"""')) for line in changed)


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"\btests/[\w/]+\.py(?:::\w+)?", PAGES[page]))
    assert len(named) >= 5
    for file, _, name in (test.partition("::") for test in named):
        assert f"def {name}" in (ROOT / file).read_text(encoding="utf-8")
