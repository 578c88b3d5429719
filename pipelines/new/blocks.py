"""Adds and removes blocks of params.yaml and entries of the catalogue. They are edited as text, to keep comments."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipelines.paths import CATALOGUE
from pipelines.stage import StageError


def with_block(text: str, section: str, name: str, block: str) -> str:
    """params.yaml with a block appended to a section.

    Args:
        text: params.yaml.
        section: tasks, corpora, methods or vectors.
        name: of the block.
        block: its lines, with their indentation.

    Raises:
        StageError: the section is not in block style, with one line per key.
    """
    lines = text.splitlines(keepends=True)
    lines = [f"{section}:\n" if re.match(rf"{section}: {{}}", line) else line for line in lines]
    end = _end(lines, section)
    lines[end:end] = [f"\n{block.rstrip()}\n"]
    changed = "".join(lines)
    try:
        if name in yaml.safe_load(changed)[section]:
            return changed
    except yaml.YAMLError:
        pass
    raise StageError(f"the block `{section}` of params.yaml does not have one line per key; add {name} by hand")


def with_data_set(text: str, data_set: str) -> str:
    """params.yaml with a data set added to the list `datasets`."""
    if data_set in yaml.safe_load(text)["datasets"]:
        return text
    lines = text.splitlines(keepends=True)
    last = _end(lines, "datasets")
    mark = re.match(r" *- ", lines[last - 1])  # same indentation as the items before
    lines[last:last] = [f"{mark[0] if mark else '  - '}{data_set}\n"]
    changed = "".join(lines)
    if data_set not in yaml.safe_load(changed)["datasets"]:
        raise StageError(f"the block `datasets` of params.yaml does not have one line per data set; add {data_set} by hand")
    return changed


def without_block(text: str, section: str, name: str) -> str:
    """params.yaml without a block of a section and the comment above it."""
    lines = text.splitlines(keepends=True)
    begin = next(i for i, line in enumerate(lines) if re.match(rf"{section}:", line))
    first = next(i for i in range(begin, len(lines)) if re.match(rf"  {re.escape(name)}:\s", lines[i]))
    last = next((i for i in range(first + 1, len(lines)) if re.match(r"( {0,2})[^\s]", lines[i])), len(lines))
    while last > first and not lines[last - 1].strip():
        last -= 1
    while lines[first - 1].startswith("  #") or not lines[first - 1].strip():
        first -= 1
    del lines[first:last]
    if len(yaml.safe_load(text)[section]) == 1:
        lines[begin] = f"{section}: {{}}\n"
    return "".join(lines)


def without_unused(text: str, data_set: str) -> str:
    """params.yaml without a data set, if nothing uses it any more."""
    content = yaml.safe_load(text)
    blocks = [*content["tasks"].values(), *content["corpora"].values()]
    used = {block["data"]["set"] for block in blocks} | {method["data"] for method in content["methods"].values()}
    if not used.isdisjoint({data_set, f"raw/{data_set}"}):
        return text
    return "".join(line for line in text.splitlines(keepends=True) if line.split("#")[0].strip() != f"- {data_set}")


def with_entry(text: str, name: str, entry: Mapping[str, Any]) -> str:
    """The catalogue with a data set appended."""
    return f"{text.rstrip()}\n\n{yaml.safe_dump({name: dict(entry)}, sort_keys=False, allow_unicode=True, width=120)}"


def without_entry(text: str, name: str) -> str:
    """The catalogue without a data set."""
    first, last = entry_place(text, name)
    return (text[:first] + text[last:]).rstrip() + "\n"


def entry_place(text: str, name: str) -> tuple[int, int]:
    """Start and end of a data set's entry in the catalogue's text.

    Raises:
        StageError: there is no such entry.
    """
    found = re.search(rf"^{re.escape(name)}:.*\n(?:[ \t#].*\n|\n)*", text, re.MULTILINE)
    if not found:
        raise StageError(f"there is no data set {name!r} in {CATALOGUE}")
    return found.span()


def write_both(files: Mapping[Path, str]) -> None:
    """Write all files, each atomically. If one cannot be written, none is replaced."""
    partial = {path: path.with_name(f".{path.name}.part") for path in files}
    for path, text in files.items():
        partial[path].write_text(text, encoding="utf-8")
    for path in files:
        partial[path].replace(path)


def _end(lines: Iterable[str], key: str) -> int:
    """The index after the last line of a top-level block."""
    found, end = False, 0
    for i, line in enumerate(lines):
        if re.match(rf"{key}:", line):
            found, end = True, i + 1
        elif found and re.match(r"[^\s-]", line):
            break
        elif found and line.strip():
            end = i + 1
    return end
