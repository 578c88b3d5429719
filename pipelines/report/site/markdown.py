"""Markdown of the documentation site."""

from collections.abc import Iterable


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def plain(text: str) -> str:
    """Text for a cell: on one line, and without what Markdown would take for a table, a link or HTML, outside of code."""
    parts = " ".join(text.replace("|", "\\|").split()).split("`")
    return "`".join(part if i % 2 else part.replace("[", "\\[").replace("<", "&lt;") for i, part in enumerate(parts))
