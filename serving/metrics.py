"""What a server counts, in Prometheus' form.

Every worker of a model is a process of its own. With PROMETHEUS_MULTIPROC_DIR set, all of them write into files of that folder,
and `serving.server.exporter` answers for all of them together.
"""

import collections
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from serving.drift import Drift
from serving.meter import Batch
from serving.package import Reference

MODEL: Final = ("model", "version")
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
UNITS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)

STAGES = Histogram(
    "seqline_stage_seconds",
    "Seconds of a request in the queue, and of a batch in being read (tokenize), in the graphs (model) and after (decode)",
    (*MODEL, "stage"),
    buckets=SECONDS,
)
BATCHES = Histogram("seqline_batch_requests", "Requests of a batch", MODEL, buckets=(1, 2, 4, 8, 16, 32, 64))
REQUESTS = Counter("seqline_requests", "Requests answered, by HTTP status and the code of the error", (*MODEL, "status", "code"))
LENGTHS = Histogram("seqline_text_units", "Length of a text, in the units that the model reads", MODEL, buckets=UNITS)
UNKNOWN = Counter("seqline_unknown_units", "Units of texts that the model does not know; seqline_text_units_sum has all", MODEL)
PRODUCED = Counter("seqline_produced_units", "Units of text that the model wrote", MODEL)
LABELS = Counter("seqline_labels", "Texts by the class that the model found most probable", (*MODEL, "label"))
DRIFT = Gauge(
    "seqline_drift_psi",
    "Population stability index of the latest texts against the training data: above 0.25 they differ",
    (*MODEL, "feature"),
    multiprocess_mode="mostrecent",
)


class PrometheusMeter:
    """Counts the work of one model.

    Args:
        model: its name.
        version: and version.
        reference: what its training data looked like.
    """

    def __init__(self, model: str, version: str, reference: Reference) -> None:
        self._model = (model, version)
        self._queue, self._read, self._graphs, self._rest = (
            STAGES.labels(*self._model, stage) for stage in ("queue", "tokenize", "model", "decode")
        )
        self._batches, self._lengths = BATCHES.labels(*self._model), LENGTHS.labels(*self._model)
        self._unknown, self._produced = UNKNOWN.labels(*self._model), PRODUCED.labels(*self._model)
        self._drift = Drift(reference)

    def queued(self, seconds: float) -> None:
        """A request waited so long for its batch."""
        self._queue.observe(seconds)

    def batch(self, batch: Batch) -> None:
        """A batch has been answered. Each count is a write into a file: what can be is added up before."""
        self._batches.observe(sum(batch.replies.values()))
        self._read.observe(batch.read_s)
        self._graphs.observe(batch.model_s)
        self._rest.observe(batch.write_s)
        for (status, code), count in batch.replies.items():
            REQUESTS.labels(*self._model, str(int(status)), code).inc(count)
        self._unknown.inc(sum(text.unknown for text in batch.texts))
        self._produced.inc(sum(text.produced for text in batch.texts))
        for label, count in collections.Counter(text.label for text in batch.texts if text.label is not None).items():
            LABELS.labels(*self._model, label).inc(count)
        for text in batch.texts:
            self._lengths.observe(text.length)
            for feature, index in self._drift.add(text).items():
                DRIFT.labels(*self._model, feature).set(index)
