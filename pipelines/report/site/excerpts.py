"""Excerpts of source files for the documentation site. One that no longer exists stops the build, so pages cannot rot."""

import ast
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from pipelines.stage import StageError

LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".sh": "bash", ".conf": "nginx", ".toml": "toml"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def source(path: str) -> str:
    """A path as code, after a check that it exists.

    Raises:
        StageError: nothing has this path.
    """
    if not Path(path).exists():
        raise StageError(f"a page names {path}, which does not exist")
    return f"`{path}`"


def code(path: str, name: str = "") -> str:
    """Source code as a fenced block.

    Args:
        path: of the file, from the project's root.
        name: of a class, function or `Class.method`; the whole file without one.

    Raises:
        StageError: the file does not exist or does not define the name.
    """
    source(path)
    text = Path(path).read_text(encoding="utf-8")
    lines = text.splitlines()
    if name:
        found = _find(ast.parse(text), name.split("."))
        if found is None:
            raise StageError(f"a page shows {name} of {path}, which does not define it")
        first = min([found.lineno, *(decorator.lineno for decorator in found.decorator_list)])
        lines = lines[first - 1 : found.end_lineno]
    body = textwrap.dedent("\n".join(lines)).rstrip()
    return f'```{LANGUAGES.get(Path(path).suffix, "text")} title="{path}"\n{body}\n```'


def _find(tree: ast.AST, names: list[str]) -> Definition | None:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition) and node.name == names[0]:
            return node if len(names) == 1 else _find(node, names[1:])
    return None


def readme(path: str, pages: Mapping[str, str]) -> str:
    """A README of the repository as part of a page.

    Its links to other READMEs that have a page lead to these; of its links to other files, the text remains.

    Args:
        path: of the README, from the project's root.
        pages: for each README that the site shows, the address of its page, relative to this one.
    """
    source(path)

    def link(match: re.Match[str]) -> str:
        text, (target, _, anchor) = match[2], match[3].partition("#")
        name = str((Path("/") / Path(path).parent / target).resolve().relative_to("/"))
        return f"[{text}]({pages[name]}{'#' if anchor else ''}{anchor})" if name in pages else text

    return LINK.sub(link, Path(path).read_text(encoding="utf-8"))
