"""The documentation site and its prose: `python -m benchmarks.teaching [prose] [site]`, without arguments both.

- prose: lines of the README; Flesch reading ease (Flesch 1948, "A new readability yardstick") of the README and the site's pages.
- site: seconds of `make docs` with the environment in place; errors are broken links, unresolved references and unbuilt pages.
"""

import re
import subprocess
import time
from pathlib import Path
from statistics import fmean

from benchmarks.parts import run_parts
from pipelines.report.record import Figures
from pipelines.report.site.macros import INCLUDED

README, PAGES = Path("README.md"), Path("docs")
# What is no prose: code blocks, tables, headings, macros, formulas, comments, HTML, code in a line, addresses of links.
BLOCKS = re.compile(r"^```.*?^```|^\$\$.*?\$\$|<!--.*?-->|^\|.*?$|^#.*?$|\{\$.*?\$\}|^!\[.*?\]\(.*?\)$", re.DOTALL | re.MULTILINE)
LISTS = re.compile(r"^\s*(?:[-*]|\d+\.)\s+", re.MULTILINE)
WORDS = 100  # a page with fewer has no score of its own
PROBLEM = re.compile(r"^(?:WARNING|ERROR)", re.MULTILINE)


def prose(path: Path) -> str:
    """The sentences of a page."""
    text = re.sub(BLOCKS, "", path.read_text(encoding="utf-8"))
    text = re.sub(r"`[^`]*`|\$[^$]*\$", "value", text)  # a word of average length
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(LISTS, "", text)
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n".join(paragraph.rstrip(":") + ("." if paragraph.endswith(":") else "") for paragraph in paragraphs if paragraph)


def reading_ease() -> dict[Path, float]:
    """The reading ease of the README and of each page with enough prose: 0 (very hard) to 100 (very easy)."""
    import textstat

    texts = {path: prose(path) for path in (README, *map(Path, INCLUDED), *sorted(PAGES.rglob("*.md")))}
    return {path: textstat.flesch_reading_ease(text) for path, text in texts.items() if len(text.split()) >= WORDS}


def written() -> Figures:
    """Length of the README, and how easy the prose is to read: on average, and on the hardest page."""
    scores = reading_ease()
    lines = len(README.read_text(encoding="utf-8").splitlines())
    return {"readme_lines": lines, "reading_ease": fmean(scores.values()), "reading_ease_lowest": min(scores.values())}


def built() -> Figures:
    """Seconds of a build, and the problems that it reports."""
    start = time.perf_counter()
    done = subprocess.run(["make", "docs"], capture_output=True, text=True, check=False)  # noqa: S607 - the user's own make
    seconds = time.perf_counter() - start
    return {"docs_build_s": seconds, "docs_errors": len(PROBLEM.findall(done.stderr)) or float(done.returncode != 0)}


def main() -> None:
    """Run the parts named on the command line."""
    run_parts("teaching", __doc__ or "", {"prose": written, "site": built}, ("mkdocs", "mkdocs-material", "textstat"))


if __name__ == "__main__":
    main()
