"""Stage `compare`: all word vectors, side by side. `python -m pipelines.compare vectors`."""

from itertools import chain
from pathlib import Path

from models.text.one_hot import Embedding, OneHot
from models.text.vectors import WordVectors
from pipelines.corpora.reviews import read_reviews
from pipelines.evaluation.report import rounded
from pipelines.evaluation.vectors import evaluate_vectors
from pipelines.params import RELATIONS, Method, OneHotVectors, load_params
from pipelines.paths import METRICS, PLOTS, RAW, VECTORS
from pipelines.stage import run_stage, write_json
from pipelines.tracking import track


def load_embedding(settings: Method, folder: Path) -> Embedding:
    """What the embed stage made of a method."""
    return OneHot.load(folder) if isinstance(settings, OneHotVectors) else WordVectors.load(folder)


def main(name: str) -> None:
    """Write metrics/vectors.json and plots/evaluate/vectors."""
    params = load_params()
    methods = {method: load_embedding(settings, VECTORS / method) for method, settings in params.methods().items()}
    text = chain.from_iterable(read_reviews(RAW / params.reviews.dataset))
    with track("compare", name) as run:
        report = evaluate_vectors(methods, RAW / RELATIONS, list(text), params.vectors.evaluate)
        metrics = rounded(report.metrics)
        write_json(METRICS / f"{name}.json", metrics)
        report.write_plots(PLOTS / "evaluate" / name)
        run.metrics(metrics)
        run.artifacts(PLOTS / "evaluate" / name)


if __name__ == "__main__":
    run_stage(main)
