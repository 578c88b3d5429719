"""The command line that all benchmarks share."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from pipelines.record import Figures, record


def run_parts(name: str, about: str, parts: Mapping[str, Callable[[], Figures]], packages: Sequence[str]) -> None:
    """Run the parts of a benchmark that the command line names; each writes its figures as soon as it has them.

    Args:
        name: of the benchmark's module.
        about: what it measures, for its help.
        parts: name -> what measures. All are run where the command line names none.
        packages: see `record`.
    """
    command = f"python -m benchmarks.{name}"
    parser = argparse.ArgumentParser(prog=command, description=about)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(parts)}; all where none is named")
    chosen = parser.parse_args().parts or list(parts)
    for part in chosen:
        if part not in parts:
            parser.error(f"there is no part {part!r}; there are {', '.join(parts)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception: on it, a part stops its child and removes its folders
    for part in chosen:
        if figures := parts[part]():  # a part that cannot run here has none, and leaves the file as it is
            record(name, " ".join([command, *chosen]), packages, figures)
