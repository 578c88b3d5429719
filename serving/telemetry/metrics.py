"""Prometheus metrics of a server.

Every worker of a model is a separate process. With PROMETHEUS_MULTIPROC_DIR set, all of them write to files in that folder, and
`serving.server.exporter` exports their aggregate.
"""

import collections
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from serving.contents import Reference
from serving.telemetry.drift import BINNED, Drift
from serving.telemetry.meter import Batch

MODEL: Final = ("model", "version")
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
UNITS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)

SECONDS_TO_ANSWER = Histogram("seqline_request_seconds", "Seconds from a request's arrival to its answer", MODEL, buckets=SECONDS)
STAGES = Histogram(
    "seqline_stage_seconds",
    "Seconds: a request in the queue (queue), a batch in reading (tokenize), the graphs (model) and the rest (decode)",
    (*MODEL, "stage"),
    buckets=SECONDS,
)
BATCHES = Histogram("seqline_batch_requests", "Requests per batch", MODEL, buckets=(1, 2, 4, 8, 16, 32, 64))
REQUESTS = Counter("seqline_requests", "Requests answered, by HTTP status and error code", (*MODEL, "status", "code"))
LENGTHS = Histogram("seqline_text_units", "Length of a text, in the model's units", MODEL, buckets=UNITS)
UNKNOWN = Counter("seqline_unknown_units", "Out-of-vocabulary units of texts; seqline_text_units_sum counts all units", MODEL)
PRODUCED = Counter("seqline_produced_units", "Units of text that the model generated", MODEL)
LABELS = Counter("seqline_labels", "Texts by most probable class", (*MODEL, "label"))
STABILITY = Gauge(
    "seqline_drift_psi",
    "Population stability index of the latest texts against the reference; above 0.25 is a significant change",
    (*MODEL, "feature"),
    multiprocess_mode="mostrecent",
)
DISTANCE = Gauge(
    "seqline_drift_score",
    "Distance of the latest texts from the reference, in standard deviations of texts: a lower bound with 99 % confidence",
    (*MODEL, "feature"),
    multiprocess_mode="mostrecent",
)
QUALITY = Gauge(
    "seqline_offline_quality",
    "Share of the test data of a class that the model recognized (recall)",
    (*MODEL, "label"),
    multiprocess_mode="mostrecent",
)
FEEDBACK = Counter("seqline_feedback", "Answers that somebody has judged, by the right class", (*MODEL, "label", "right"))
LOST = Counter("seqline_lost_records", "Answers that could not be recorded", MODEL)


class PrometheusMeter:
    """Records the work of one model.

    Args:
        model: name of the model.
        version: version of the model.
        reference: statistics of its training data.
    """

    def __init__(self, model: str, version: str, reference: Reference) -> None:
        self._model = (model, version)
        self._queue, self._read, self._graphs, self._rest = (
            STAGES.labels(*self._model, stage) for stage in ("queue", "tokenize", "model", "decode")
        )
        self._to_answer = SECONDS_TO_ANSWER.labels(*self._model)
        self._batches, self._lengths = BATCHES.labels(*self._model), LENGTHS.labels(*self._model)
        self._unknown, self._produced = UNKNOWN.labels(*self._model), PRODUCED.labels(*self._model)
        self._drift = Drift(reference)
        for label, share in reference.quality.items():
            QUALITY.labels(*self._model, label).set(share)

    def queued(self, seconds: float) -> None:
        """Record how long a request waited for its batch."""
        self._queue.observe(seconds)

    def answered(self, seconds: float) -> None:
        """Record how long it took from a request's arrival to its answer."""
        self._to_answer.observe(seconds)

    def batch(self, batch: Batch) -> None:
        """Record an answered batch. Counts are summed first where possible, because each increment writes to a file."""
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
                (STABILITY if feature in BINNED else DISTANCE).labels(*self._model, feature).set(index)
