"""The documentation builds without a warning, works offline, and is easy to read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import teaching
from pipelines.report.site.macros import INCLUDED

ROOT = Path(__file__).parents[1]
FOREIGN = re.compile(r"""(?:<(?:script|img|iframe)[^>]*\ssrc|<link[^>]*rel="?(?:stylesheet|pre)[^>]*\shref)=["']?https?:""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.mark.slow
def test_every_page_is_built_and_asks_no_other_host(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if not (site / page).is_file()] == []
    assert [page for page in pages if FOREIGN.search((site / page).read_text(encoding="utf-8"))] == []


@pytest.mark.slow
def test_every_macro_is_replaced(site: Path) -> None:
    assert [path for path in site.rglob("*.html") if "{$ " in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("readme", INCLUDED)
def test_a_readme_of_the_repository_has_its_page(readme: str) -> None:
    assert f'readme("{readme}")' in (ROOT / "docs" / INCLUDED[readme]).read_text(encoding="utf-8")


def test_prose_is_easy_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    scores = teaching.reading_ease()
    assert Path("README.md") in scores
    assert {str(path): score for path, score in scores.items() if score < 50} == {}


def test_hard_prose_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    hard = "Notwithstanding considerable methodological heterogeneity, institutional representatives corroborated. "
    page.write_text("# Title\n\n" + hard * 20 + "\n\n```\nthe cat sat on the mat\n```\n", encoding="utf-8")
    assert "cat" not in teaching.prose(page)
    import textstat

    assert textstat.flesch_reading_ease(teaching.prose(page)) < 0
