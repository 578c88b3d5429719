"""Names with labels: surnames with the nationality they are at home in, first names all with the same."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from anyascii import anyascii

Name = tuple[str, str]  # name, label: the nationality, where there is one
FIRST_NAME = "first name"

# Nationality -> (locales of Faker, locales of mimesis). Locales whose lists mostly hold another country's names are left out.
LOCALES = {
    "Croatian": (["hr_HR"], ["hr"]),
    "Danish": (["da_DK"], ["da"]),
    "Dutch": (["nl_NL"], ["nl"]),
    "English": (["en_GB"], ["en"]),
    "Finnish": (["fi_FI"], ["fi"]),
    "French": (["fr_FR"], ["fr"]),
    "German": (["de_DE", "de_AT"], ["de", "de-at"]),
    "Greek": (["el_GR"], ["el"]),
    "Icelandic": ([], ["is"]),
    "Irish": (["ga_IE"], []),
    "Italian": (["it_IT"], ["it"]),
    "Polish": ([], ["pl"]),
    "Portuguese": (["pt_PT", "pt_BR"], ["pt", "pt-br"]),
    "Russian": (["ru_RU"], ["ru"]),
    "Slovak": (["sk_SK"], ["sk"]),
    "Spanish": (["es_ES"], ["es", "es-mx"]),
    "Swedish": (["sv_SE"], ["sv"]),
}
# Written in another script: left as they are, the script alone would give the nationality away.
TRANSLITERATED = {"Greek", "Russian"}


def read_names(dataset: str, folder: Path) -> list[Name]:
    """All (name, label) pairs of a data set, in the order of its files, repetitions included.

    Args:
        dataset: surnames17, names18 or makemore.
        folder: what the download stage made of it.
    """
    readers = {"surnames17": _read_surnames17, "names18": _read_names18, "makemore": _read_makemore}
    return list(readers[dataset](folder))


def _read_surnames17(folder: Path) -> Iterator[Name]:
    for nationality, (faker, mimesis) in LOCALES.items():
        names = [n for locale in faker for n in _faker_surnames(folder / "faker/providers/person" / locale / "__init__.py")]
        names += [n for locale in mimesis for n in _mimesis_surnames(folder / "mimesis/datasets" / locale / "person.json")]
        for name in names:
            yield anyascii(name) if nationality in TRANSLITERATED else name, nationality


def _faker_surnames(path: Path) -> Iterator[str]:
    """The string literals assigned to `last_names...` in a provider's source, which is parsed and never run."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id.startswith("last_names"):
                yield from (c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant) and isinstance(c.value, str))


def _mimesis_surnames(path: Path) -> Iterator[str]:
    """One list of surnames, or one for each sex."""
    surnames = json.loads(path.read_text(encoding="utf-8"))["surnames"]
    yield from surnames if isinstance(surnames, list) else (name for names in surnames.values() for name in names)


def _read_names18(folder: Path) -> Iterator[Name]:
    """Robertson's set: a file for each nationality, a name a line."""
    for path in sorted(folder.glob("*.txt")):
        yield from ((line.strip(), path.stem) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _read_makemore(folder: Path) -> Iterator[Name]:
    """Karpathy's set, a first name a line."""
    yield from ((line, FIRST_NAME) for line in (folder / "names.txt").read_text(encoding="utf-8").splitlines())
