"""Joey NMT at work, unchanged: `python -m benchmarks.joeynmt_peer train|translate`, where its packages are (see benchmarks.peer).

One of its own configurations comes as JSON on standard input; what was measured goes to standard output, as JSON in one line.
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
RATE, PLACE = "Tokens per Sec", 4  # how its training loop's log names the rate, and which of a line's values it is


class Rates(logging.Handler):
    """Keeps the target tokens a second that the training loop logs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one line."""
        if RATE in record.msg and isinstance(record.args, tuple):
            self.seen.append(float(str(record.args[PLACE])))


def train_model(configuration: Configuration) -> Answer:
    """Train, write a checkpoint at the end, and tell each rate that was logged."""
    rates = Rates()
    logging.getLogger("joeynmt.training").addHandler(rates)
    train(rank=0, world_size=1, cfg=configuration, skip_test=True)
    return {"tokens_per_s": rates.seen}


def translate(configuration: Configuration) -> Answer:
    """Translate the validation sentences to warm up, then the test sentences, and tell the translations and the seconds of these.

    Reading the files and the model is not timed.
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
