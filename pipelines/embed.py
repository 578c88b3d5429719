"""Stage `embed`: word vectors by one method. `python -m pipelines.embed METHOD`."""

import hashlib
from collections.abc import Callable, Mapping

from rich.console import Console

from models.text.one_hot import OneHot
from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.corpora.glove import read_glove
from pipelines.embedding.made import Made
from pipelines.embedding.sentences import read_corpus
from pipelines.params import Params, load_params
from pipelines.paths import CHECKPOINTS, DATA, METRICS, VECTORS
from pipelines.settings.vectors import ElmoVectors, NgramVectors, OneHotVectors, PretrainedVectors
from pipelines.stage import StageError, rounded, run_stage, write_json
from pipelines.tracking import track
from pipelines.training.checkpoints import forget

console = Console()


def embed(name: str, params: Params, report: Callable[[Mapping[str, float]], None]) -> Made:
    """Make the vectors of one method.

    Args:
        name: of the method.
        params: see params.yaml.
        report: called with a row for each epoch of the methods that train by the common loop.

    Raises:
        StageError: there is no such method, or its corpus or settings cannot give any vectors.
    """
    settings = params.method(name)
    folder = DATA / settings.data
    if isinstance(settings, PretrainedVectors):
        return Made(read_glove(folder.name, folder))
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    provenance = {
        "method": name,
        "settings": settings.model_dump(),
        "seed": params.seed,
        "vocabulary_sha256": hashlib.sha256((folder / VOCABULARY).read_bytes()).hexdigest(),
    }
    if isinstance(settings, OneHotVectors):
        return Made(OneHot(vocabulary, provenance))
    try:
        if isinstance(settings, NgramVectors | ElmoVectors):
            from pipelines.embedding.fitted import fit_vectors  # torch, whose import takes longer than some methods' work

            return fit_vectors(name, settings, params, vocabulary, provenance, report)
        from pipelines.embedding.kernels import train_words  # the kernels' compiler

        corpus = read_corpus(folder / "train")
        return Made(train_words(name, settings, corpus, vocabulary, provenance, params.seed, params.device))
    except (ValueError, FloatingPointError) as error:
        raise StageError(f"vectors.methods.{name}: {error}") from error


def main(name: str) -> None:
    """Write build/vectors/METHOD and metrics/embed/METHOD.json."""
    params = load_params()
    params.method(name)  # an unknown name is an error before anything is tracked
    with track("embed", name) as run:

        def report(row: Mapping[str, float]) -> None:
            run.metrics(row, step=int(row["epoch"]))
            console.print(f"{name}: " + "  ".join(f"{key} {value:.4g}" for key, value in row.items()))

        made = embed(name, params, report)
        made.save(VECTORS / name)
        forget(CHECKPOINTS / name)
        vectors = made.vectors
        sizes = {"words": len(vectors.vocabulary), "dimension": len(vectors.vector(vectors.vocabulary.words[0]))}
        metrics = rounded({**sizes, **made.measured})
        write_json(METRICS / "embed" / f"{name}.json", metrics)
        run.metrics(metrics)


if __name__ == "__main__":
    run_stage(main)
