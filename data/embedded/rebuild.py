"""Rebuild the French-English pairs from Debian. Runs alone on a Debian or Ubuntu system: Python, apt and dpkg only.

    python data/embedded/rebuild.py {descriptions,stories} OUT.tsv.gz [--source "deb <mirror> bookworm main"]

apt fetches and verifies everything into a temporary folder; nothing is installed, and the system's own apt state is neither used
nor changed.
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
    parser.add_argument("--source", help="a line as in sources.list to use instead of the system's own sources")
    arguments = parser.parse_args()
    os.environ["LC_ALL"] = "C.UTF-8"
    chosen = SETS[arguments.set]
    with tempfile.TemporaryDirectory() as folder:
        rows = [chosen.HEADER, *chosen.rows(Path(folder), arguments.source)]
    table = "".join("\t".join(row) + "\n" for row in rows)
    # No name, no time stamp and a fixed level: the same packages give the same bytes.
    with arguments.out.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
        packed.write(table.encode("utf-8"))


if __name__ == "__main__":
    main()
