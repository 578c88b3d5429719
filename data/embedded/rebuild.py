"""Rebuild the French-English pairs from Debian's own indexes. Runs alone on a Debian or Ubuntu system: Python and apt only.

    python data/embedded/rebuild.py OUT.tsv.gz [--source "deb <mirror> bookworm main"]

apt fetches and verifies the indexes into a temporary folder; the system's own apt state is neither used nor changed.
"""

import argparse
import gzip
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Of what apt knows, only the translations are wanted: no lists of packages, no compressed copies.
APT_OPTIONS = {
    "Acquire::IndexTargets::deb::Packages::DefaultEnabled": "false",
    "Acquire::Languages": "en,fr",
    "APT::Sandbox::User": "",  # root would drop to a user that cannot write to the temporary folder
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
}

Pair = tuple[str, str, str]  # package, fr, en


def apt(folder: Path, source: str | None, *command: str) -> str:
    """Run `apt-get` with its state in `folder`, on the system's sources or on `source` alone; returns what it prints."""
    options = APT_OPTIONS | {"Dir::State::Lists": str(folder / "lists"), "Dir::Cache": str(folder / "cache")}
    if source:
        (folder / "sources.list").write_text(source + "\n", encoding="utf-8")
        options |= {"Dir::Etc::SourceList": str(folder / "sources.list"), "Dir::Etc::SourceParts": "-"}
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    done = subprocess.run(["apt-get", *flags, *command], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603, S607 - the caller's apt
    if done.returncode:
        raise SystemExit("apt-get failed (its own message is above); another mirror can be named with --source")
    return done.stdout


def read_index(folder: Path, source: str | None, language: str) -> str:
    """The text of bookworm main's Translation index of one language."""
    query = ["Created-By: Translations", "Label: Debian", "Codename: bookworm", "Component: main", f"Language: {language}"]
    files = apt(folder, source, "indextargets", "--format", "$(FILENAME)", *query).split()
    if not files:
        raise SystemExit(f"apt's sources have no Translation-{language} of Debian bookworm main; name one with --source")
    # apt keeps indexes compressed in a format of its choice; its helper reads them all.
    helper = ["/usr/lib/apt/apt-helper", "cat-file", files[0]]
    return subprocess.run(helper, stdout=subprocess.PIPE, check=True).stdout.decode("utf-8")  # noqa: S603 - as above


def descriptions(index: str) -> Iterator[tuple[str, str, list[str]]]:
    """Package, md5 of the English description, and the description's paragraphs, for each stanza of an index."""
    for stanza in filter(str.strip, index.split("\n\n")):
        package, md5, text = stanza.split("\n", 2)
        yield package.split(": ")[1], md5.split(": ")[1], paragraphs(text.split(": ", 1)[1])


def paragraphs(description: str) -> list[str]:
    """The short description, then the paragraphs of the long one, each on one line. A lone dot ends a paragraph."""
    short, _, long = description.partition("\n")
    parts: list[list[str]] = [[]]
    for line in long.split("\n"):
        if line.strip() == ".":
            parts.append([])
        else:
            parts[-1] += line.split()
    return [" ".join(short.split()), *(" ".join(words) for words in parts if words)]


def pairs(english: str, french: str) -> Iterator[Pair]:
    """Each distinct pair of paragraphs once, by package; untranslated ones are left out.

    Packages that share a description appear under the last one's name. Where the translation has another number of
    paragraphs than the original, nothing says which belong together, and only the short descriptions make a pair.
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


def main() -> None:
    """Write the pairs to the path on the command line."""
    parser = argparse.ArgumentParser(description="Rebuild the French-English pairs from Debian's own indexes.")
    parser.add_argument("out", type=Path, help="the .tsv.gz to write")
    parser.add_argument("--source", help="a line as in sources.list to use instead of the system's own sources")
    arguments = parser.parse_args()
    os.environ["LC_ALL"] = "C.UTF-8"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "cache" / "archives" / "partial").mkdir(parents=True)
        apt(folder, arguments.source, "update", "--quiet")
        english, french = (read_index(folder, arguments.source, language) for language in ("en", "fr"))
    table = "".join("\t".join(row) + "\n" for row in [("package", "fr", "en"), *pairs(english, french)])
    # No name, no time stamp and a fixed level: the same indexes give the same bytes.
    with arguments.out.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.write(table.encode("utf-8"))


if __name__ == "__main__":
    main()
