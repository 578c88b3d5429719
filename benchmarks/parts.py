"""The command line shared by all benchmarks."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from pipelines.report.record import Figures, record


def run_parts(name: str, about: str, parts: Mapping[str, Callable[[], Figures]], packages: Sequence[str]) -> None:
    """Run the parts of a benchmark named on the command line, or all. Each part's figures are written as soon as it ends.

    Args:
        name: module name of the benchmark.
        about: description for the help text.
        parts: part name -> function that measures it.
        packages: see `record`.
    """
    command = f"python -m benchmarks.{name}"
    parser = argparse.ArgumentParser(prog=command, description=about)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(parts)}; default: all")
    chosen = parser.parse_args().parts or list(parts)
    for part in chosen:
        if part not in parts:
            parser.error(f"unknown part {part!r}; the parts are {', '.join(parts)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # raises SystemExit, so that parts clean up
    for part in chosen:
        if figures := parts[part]():  # a part that cannot run here has no figures
            record(name, " ".join([command, *chosen]), packages, figures)
