"""Package descriptions and their translations, aligned by paragraph."""

from collections.abc import Iterator
from pathlib import Path

from debian import DESCRIPTIONS, Apt

HEADER = ("package", "fr", "en")


def rows(folder: Path, source: str | None) -> Iterator[tuple[str, ...]]:
    """Yield the table's rows: package, fr, en."""
    apt = Apt(folder, source, DESCRIPTIONS)
    apt.update()
    return pairs(apt.translation("en"), apt.translation("fr"))


def descriptions(index: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield package, md5 of the English description, and paragraphs for each stanza of an index."""
    for stanza in filter(str.strip, index.split("\n\n")):
        package, md5, text = stanza.split("\n", 2)
        yield package.split(": ")[1], md5.split(": ")[1], paragraphs(text.split(": ", 1)[1])


def paragraphs(description: str) -> list[str]:
    """Return the short description, then the paragraphs of the long one, each on one line. A single dot ends a paragraph."""
    short, _, long = description.partition("\n")
    parts: list[list[str]] = [[]]
    for line in long.split("\n"):
        if line.strip() == ".":
            parts.append([])
        else:
            parts[-1] += line.split()
    return [" ".join(short.split()), *(" ".join(words) for words in parts if words)]


def pairs(english: str, french: str) -> Iterator[tuple[str, str, str]]:
    """Yield the distinct pairs of paragraphs, by package, without untranslated ones.

    Packages that share a description appear under the last one's name. If original and translation have different numbers of
    paragraphs, they cannot be aligned, and only the short descriptions form a pair.
    """
    originals = {md5: text for _, md5, text in descriptions(english)}
    translations = {md5: (package, text) for package, md5, text in descriptions(french) if md5 in originals}
    seen: set[tuple[str, str]] = set()
    for md5, (package, text) in sorted(translations.items(), key=lambda item: (item[1][0], item[0])):
        aligned = len(text) == len(originals[md5])
        for fr, en in zip(text, originals[md5], strict=True) if aligned else [(text[0], originals[md5][0])]:
            if fr != en and (fr, en) not in seen:
                seen.add((fr, en))
                yield package, fr, en
