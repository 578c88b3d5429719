"""Lessons are self-contained files in the percent format of notebooks."""

import ast
import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from lesson_files import LESSONS, ROOT

ALLOWED = set(sys.stdlib_module_names) | {"torch", "numpy", "matplotlib"}
CHAPTER = {
    "word2vec", "ngram_lm", "glove_embedding", "glove_sentiment", "char_rnn_classification", "char_rnn_generation",
    "seq2seq_translation", "bptt", "lstm_gru", "attention",
}  # fmt: skip
every_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)


def imported(tree: ast.AST) -> set[str]:
    """All packages that a module imports, at any level."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_chapter_is_complete() -> None:
    assert {path.stem for path in LESSONS} == CHAPTER


@every_lesson
def test_imports_nothing_from_the_project(lesson: Path) -> None:
    assert imported(ast.parse(lesson.read_text(encoding="utf-8"))) <= ALLOWED


@every_lesson
def test_is_a_notebook_in_the_percent_format(lesson: Path) -> None:
    text = lesson.read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # ")
    for cell in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        kind, _, body = cell.partition("\n")
        if kind.strip() == "[markdown]":
            assert all(line.startswith("#") for line in body.splitlines() if line.strip()), body
            assert body.count("$$") % 2 == 0
        else:
            assert kind == ""
            ast.parse(body)


@every_lesson
def test_downloads_only_with_pip_and_verifies_hashes(lesson: Path) -> None:
    text = lesson.read_text(encoding="utf-8")
    assert not re.search(r"https?:", text), "a lesson names a host"
    if ".whl" in text:
        assert '"--only-binary=:all:"' in text, "pip would run the setup of a source archive"
        assert "sha256(" in text


@every_lesson
def test_is_in_the_table(lesson: Path) -> None:
    assert f"[{lesson.name}]({lesson.name})" in (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")


@every_lesson
def test_a_notebook_ignores_the_kernels_arguments(lesson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    assert not importlib.import_module(f"lessons.{lesson.stem}").options().smoke
