"""The macros of the documentation's pages: see CONTRIBUTING.md for their use.

mkdocs-macros-plugin imports this module, by `module_name` in mkdocs.yml, and calls `define_env`.
"""

import json
import os
from pathlib import Path
from typing import Protocol

from pipelines.report import pages
from pipelines.report.errors import errors
from pipelines.report.site import excerpts, interfaces, rest
from pipelines.report.site.excerpts import code, source
from pipelines.stage import StageError

PAGES = Path("docs")
# READMEs of the repository that the site shows, and their pages.
INCLUDED = {
    "serving/README.md": "how-to/operate.md",
    "serving/THREATS.md": "explanation/threats.md",
    "docker/README.md": "how-to/containers.md",
    "docker/SCALING.md": "explanation/scaling.md",
    "docker/kubernetes/README.md": "how-to/kubernetes.md",
    "profiles/README.md": "how-to/profiles.md",
    "lessons/README.md": "lessons.md",
    "CONTRIBUTING.md": "contributing.md",
}


class File(Protocol):
    """A file of the site, as MkDocs has it."""

    src_uri: str


class Page(Protocol):
    """A page of the site, as MkDocs has it."""

    file: File


class Environment(Protocol):
    """What mkdocs-macros-plugin passes to `define_env`."""

    page: Page

    def macro(self, function: object, name: str = "") -> object:
        """Makes a function available in pages."""


def define_env(env: Environment) -> None:
    """Register the macros."""

    def readme(path: str) -> str:
        here = Path(env.page.file.src_uri).parent
        own = {str(file): str(file.relative_to(PAGES)) for file in PAGES.rglob("*.md")}
        return excerpts.readme(path, {name: os.path.relpath(place, here) for name, place in (own | INCLUDED).items()})

    for macro in (*MACROS, readme):
        env.macro(macro, macro.__name__)


def figure(source: str, key: str, form: str) -> str:
    """One measured number.

    Args:
        source: of metrics/ or benchmarks/results/, without `.json`, or the path of another JSON file.
        key: of the figure.
        form: Python's format specification.

    Raises:
        StageError: the file has no such figure.
    """
    path = Path(source)
    values = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else pages.figures(source)
    if key not in values:
        raise StageError(f"a page states {key} of {source}, which has no such figure")
    return f"{values[key]:{form}}"


def table(name: str) -> str:
    """The table of a section of measures.yaml; `vectors`: that of the methods of word vectors.

    Raises:
        StageError: there is nothing to show.
    """
    made = {"results": pages.results, "vectors": pages.vectors}.get(name, lambda: pages.compared(name))()
    if not made:
        raise StageError(f"a page shows the table {name}, which has no figures yet")
    return made


MACROS = (
    code,
    source,
    figure,
    table,
    errors,
    interfaces.commands,
    interfaces.targets,
    interfaces.kinds,
    interfaces.exported,
    interfaces.modules,
    rest.endpoints,
    rest.schemas,
)
