"""Stage `embed`: word vectors by one method. `python -m pipelines.embed METHOD`."""

import hashlib
from collections.abc import Callable

from rich.console import Console

from models.text.one_hot import Embedding, OneHot
from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.corpora.glove import read_glove
from pipelines.embedding.kernels import read_corpus, train_words
from pipelines.embedding.ngram_lm import train_ngram_lm
from pipelines.evaluation.report import rounded
from pipelines.params import NgramVectors, OneHotVectors, Params, PretrainedVectors, load_params
from pipelines.paths import CHECKPOINTS, DATA, METRICS, VECTORS
from pipelines.stage import StageError, run_stage, write_json
from pipelines.store import Split
from pipelines.tracking import track
from pipelines.training.fingerprint import fingerprint
from pipelines.training.fit import Job, forget
from pipelines.training.module import Row

console = Console()


def embed(name: str, params: Params, report: Callable[[Row], None]) -> tuple[Embedding, dict[str, float]]:
    """Make the vectors of one method.

    Args:
        name: of the method.
        params: see params.yaml.
        report: called with a row for each epoch of the methods that train by the common loop.

    Returns:
        the vectors, and what was measured on the way.

    Raises:
        StageError: there is no such method, or its corpus or settings cannot give any vectors.
    """
    settings = params.method(name)
    folder = DATA / settings.data
    if isinstance(settings, PretrainedVectors):
        return read_glove(folder.name, folder), {}
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    provenance = {
        "method": name,
        "settings": settings.model_dump(),
        "seed": params.seed,
        "vocabulary_sha256": hashlib.sha256((folder / VOCABULARY).read_bytes()).hexdigest(),
    }
    if isinstance(settings, OneHotVectors):
        return OneHot(vocabulary, provenance), {}
    try:
        if isinstance(settings, NgramVectors):
            order, job = params.brown.prepare.order, _job(name, settings, params)
            return train_ngram_lm(settings, folder, order, job, provenance, report)
        return train_words(name, settings, read_corpus(folder / "train"), vocabulary, provenance, params.seed), {}
    except (ValueError, FloatingPointError) as error:
        raise StageError(f"vectors.methods.{name}: {error}") from error


def _job(name: str, settings: NgramVectors, params: Params) -> Job:
    folder = DATA / settings.data
    identity = [settings.model_dump_json(), *map(str, (params.seed, params.device, params.precision))]
    return Job(
        train=Split(folder / "train"),
        valid=Split(folder / "valid"),
        params=settings.train,
        seed=params.seed,
        device=params.device,
        precision=params.precision,
        checkpoints=CHECKPOINTS / name / fingerprint(identity, folder),
    )


def main(name: str) -> None:
    """Write build/vectors/METHOD and metrics/embed/METHOD.json."""
    params = load_params()
    params.method(name)  # an unknown name is an error before anything is tracked
    with track("embed", name) as run:

        def report(row: Row) -> None:
            run.metrics(row, step=int(row["epoch"]))
            console.print(f"{name}: " + "  ".join(f"{key} {value:.4g}" for key, value in row.items()))

        vectors, measured = embed(name, params, report)
        vectors.save(VECTORS / name)
        forget(CHECKPOINTS / name)
        sizes = {"words": len(vectors.vocabulary), "dimension": len(vectors.vector(vectors.vocabulary.words[0]))}
        metrics = rounded({**sizes, **measured})
        write_json(METRICS / "embed" / f"{name}.json", metrics)
        run.metrics(metrics)


if __name__ == "__main__":
    run_stage(main)
