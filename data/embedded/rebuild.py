"""Rebuilds the French-English pairs from Debian packages. Needs only Python, apt and dpkg, on Debian or Ubuntu.

    python data/embedded/rebuild.py {descriptions,stories} OUT.tsv.gz [--source "deb <mirror> bookworm main"]

apt downloads and verifies everything in a temporary folder. Nothing is installed, and the system's apt state is neither used nor
changed.
"""

import argparse
import gzip
import os
import tempfile
from pathlib import Path

import descriptions
import stories

SETS = {"descriptions": descriptions, "stories": stories}


def main() -> None:
    """Write the pairs to the path on the command line."""
    parser = argparse.ArgumentParser(description="Rebuild the French-English pairs from Debian.")
    parser.add_argument("set", choices=SETS, help="which pairs")
    parser.add_argument("out", type=Path, help="the .tsv.gz to write")
    parser.add_argument("--source", help="a sources.list line to use instead of the system's sources")
    arguments = parser.parse_args()
    os.environ["LC_ALL"] = "C.UTF-8"
    chosen = SETS[arguments.set]
    with tempfile.TemporaryDirectory() as folder:
        rows = [chosen.HEADER, *chosen.rows(Path(folder), arguments.source)]
    table = "".join("\t".join(row) + "\n" for row in rows)
    # Reproducible output: no name, no time stamp, and a fixed compression level.
    with arguments.out.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.write(table.encode("utf-8"))


if __name__ == "__main__":
    main()
