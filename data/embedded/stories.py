"""Everyday texts and stories that Debian ships in both languages: dialogues of games, lessons for children, dictionaries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cleaning import entries, sentences
from debian import PACKAGES, Apt
from lexicons import read_annotations, read_english_dictionary, read_french_dictionary, read_names, read_stamps
from messages import Files, Message, read_lua, read_mo, read_po, read_qm

HEADER = ("package", "kind", "fr", "en")
CAMPAIGNS = ("did", "dm", "dw", "ei", "httt", "l", "low", "nr", "sof", "sota", "sotbe", "thot", "trow", "tsg", "ttb", "utbs")
WORD_LISTS = ("category_", "instruments", "FamilyDataset", "colors", "calendar_dataset")  # contexts of GCompris's vocabulary


@dataclass(frozen=True)
class Origin:
    """Files of a package to read.

    Attributes:
        package: name of the package.
        kind: dialogue | lesson | caption | entry.
        files: path patterns of the files.
        read: reader that yields their messages.
    """

    package: str
    kind: str
    files: tuple[str, ...]
    read: Callable[[Files], Iterator[Message]]


def read_lessons(files: Files) -> Iterator[Message]:
    """Return the messages of GCompris."""
    return (message for _, message in read_qm(files))


def read_vocabulary(files: Files) -> Iterator[Message]:
    """Return the vocabulary of GCompris."""
    return (message for context, message in read_qm(files) if context.startswith(WORD_LISTS))


GCOMPRIS = ("translations/gcompris_fr.qm",)
CLDR = tuple(f"common/{part}/{code}.xml" for part in ("annotations", "annotationsDerived") for code in ("fr", "en"))
ORIGINS = (
    *(Origin(f"wesnoth-1.16-{name}", "dialogue", ("locale/fr/LC_MESSAGES/wesnoth-*.mo",), read_mo) for name in CAMPAIGNS),
    Origin("freedroidrpg-data", "dialogue", ("fr/LC_MESSAGES/freedroidrpg-d*.mo",), read_mo),
    Origin("adonthell-data", "dialogue", ("fr/LC_MESSAGES/wastesedge.mo",), read_mo),
    Origin("flare-game", "dialogue", ("languages/data.fr.po",), read_po),
    Origin("pingus-data", "dialogue", ("po/fr.po",), read_po),
    Origin("fillets-ng-data", "dialogue", ("script/*dialogs_fr.lua", "script/*dialogs_en.lua"), read_lua),
    Origin("gcompris-qt-data", "lesson", GCOMPRIS, read_lessons),
    Origin("tuxpaint-stamps-default", "caption", ("tuxpaint/stamps/*.txt",), read_stamps),
    Origin("gcompris-qt-data", "entry", GCOMPRIS, read_vocabulary),
    Origin("unicode-cldr-core", "entry", CLDR, read_annotations),
    Origin("unicode-cldr-core", "entry", ("common/main/fr.xml", "common/main/en.xml"), read_names),
    Origin("dict-freedict-fra-eng", "entry", ("freedict-fra-eng.dict.dz",), read_french_dictionary),
    Origin("dict-freedict-eng-fra", "entry", ("freedict-eng-fra.dict.dz",), read_english_dictionary),
)


def rows(folder: Path, source: str | None) -> Iterator[tuple[str, ...]]:
    """Yield the table's rows: package, kind, fr, en, without duplicates (ignoring case)."""
    apt = Apt(folder, source, PACKAGES)
    apt.update()
    apt.download(sorted({origin.package for origin in ORIGINS}))
    seen: set[tuple[str, str]] = set()
    for origin in ORIGINS:
        clean = entries if origin.kind == "entry" else sentences
        for message in origin.read(apt.members(origin.package, origin.files)):
            for fr, en in clean(message):
                if (key := (fr.casefold(), en.casefold())) not in seen:
                    seen.add(key)
                    yield origin.package, origin.kind, fr, en
