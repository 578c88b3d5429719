"""Runs unmodified Joey NMT: `python -m benchmarks.joeynmt_peer train|translate`, with its packages importable (see peer.py).

Reads a Joey NMT configuration as JSON from standard input and writes the measurements to standard output, as one line of JSON.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from joeynmt.config import parse_global_args
from joeynmt.prediction import predict, prepare
from joeynmt.training import train

Configuration = dict[str, Any]
Answer = dict[str, Any]
RATE, PLACE = "Tokens per Sec", 4  # name of the rate in the log of its training loop, and index of its value


class Rates(logging.Handler):
    """Collects the target tokens per second that the training loop logs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one log record."""
        if RATE in record.msg and isinstance(record.args, tuple):
            self.seen.append(float(str(record.args[PLACE])))


def train_model(configuration: Configuration) -> Answer:
    """Train, write a checkpoint at the end, and return all logged rates."""
    rates = Rates()
    logging.getLogger("joeynmt.training").addHandler(rates)
    train(rank=0, world_size=1, cfg=configuration, skip_test=True)
    return {"tokens_per_s": rates.seen}


def translate(configuration: Configuration) -> Answer:
    """Translate the validation sentences as a warm-up, then the test sentences.

    Returns:
        The test translations and the seconds they took, without loading the files and the model.
    """
    arguments = parse_global_args(configuration, rank=0, mode="test")
    model, _, *sets = prepare(arguments, rank=0, mode="test")
    translations, seconds = [], 0.0
    for data in sets:
        start = time.perf_counter()
        _, _, translations, *_ = predict(
            model, data, arguments.device, arguments.n_gpu, args=arguments.test, autocast=arguments.autocast
        )
        seconds = time.perf_counter() - start
    return {"translations": translations, "seconds": seconds}


WORK: dict[str, Callable[[Configuration], Answer]] = {"train": train_model, "translate": translate}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(WORK[sys.argv[1]](json.load(sys.stdin))) + "\n")
