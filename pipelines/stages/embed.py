"""Stage `embed`: create word vectors by one method. `python -m pipelines.stages.embed METHOD`."""

import hashlib

from rich.console import Console

from models.text.json_files import write_json
from models.text.one_hot import OneHot
from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.data.corpora.pretrained import read_pretrained
from pipelines.embedding.made import Made
from pipelines.paths import CHECKPOINTS, DATA, METRICS, VECTORS
from pipelines.settings.params import Params, load_params
from pipelines.settings.vectors import ElmoVectors, NgramVectors, OneHotVectors, PretrainedVectors, SkipGramVectors
from pipelines.stage import StageError, rounded, run_stage
from pipelines.tracking.runs import track
from pipelines.training.checkpoints import fingerprint, forget
from pipelines.training.work import Report, Row, Work, learned

console = Console(emoji=False, soft_wrap=True)


def work_of(name: str, params: Params) -> Work:
    """The training job of a method that needs training."""
    settings = params.method(name)
    data, given = DATA / settings.data, (params.seed, params.device, params.precision)
    common = isinstance(settings, NgramVectors | ElmoVectors)
    batched = isinstance(settings, SkipGramVectors) and settings.engine == "batched"
    return Work(
        name,
        f"pipelines.embedding.{'fitted' if common else 'kernels'}",
        data,
        fingerprint([settings.model_dump_json(), *map(str, given)], data),
        shared=isinstance(settings, NgramVectors),  # ELMo normalizes over the words of a batch, which must be complete
        on_gpu=common or batched,
    )


def embed(name: str, params: Params, report: Report) -> Made:
    """Create the vectors of one method.

    Args:
        name: name of the method.
        params: see params.yaml.
        report: called with a row per epoch, for methods that need training.

    Raises:
        StageError: there is no such method, or its corpus or settings do not allow training; see `learned`.
    """
    settings = params.method(name)
    folder = DATA / settings.data
    if isinstance(settings, PretrainedVectors):
        try:
            return Made(read_pretrained(folder.name, folder))
        except ValueError as error:
            raise StageError(f"methods.{name}: {error}") from error
    vocabulary = WordVocabulary.load(folder / VOCABULARY)
    provenance = {
        "method": name,
        "settings": settings.model_dump(),
        "seed": params.seed,
        "vocabulary_sha256": hashlib.sha256((folder / VOCABULARY).read_bytes()).hexdigest(),
    }
    if isinstance(settings, OneHotVectors):
        return Made(OneHot(vocabulary, provenance))
    weights = learned(work_of(name, params), params, report).weights
    if isinstance(settings, NgramVectors | ElmoVectors):
        from pipelines.embedding import fitted  # imports torch, which takes longer than some methods take in all

        return fitted.finish(settings, params, weights, provenance)
    from pipelines.embedding import kernels  # imports the kernels' compiler

    return Made(kernels.finish(settings, vocabulary, weights, provenance))


def main(name: str) -> None:
    """Write build/vectors/VECTORS/METHOD, with the method's block of vectors, and metrics/embed/METHOD.json."""
    params = load_params()
    folder = VECTORS / params.method(name).vectors / name  # fails for an unknown name before tracking starts
    with track("embed", name) as run:

        def report(row: Row) -> None:
            run.metrics(row, step=int(row["epoch"]))
            console.print(f"{name}: " + "  ".join(f"{key} {value:.4g}" for key, value in row.items()))

        made = embed(name, params, report)
        made.save(folder)
        forget(CHECKPOINTS / name)
        vectors = made.vectors
        sizes = {"words": len(vectors.vocabulary), "dimension": len(vectors.vector(vectors.vocabulary.words[0]))}
        metrics = rounded({**sizes, **made.measured})
        write_json(METRICS / "embed" / f"{name}.json", metrics)
        run.metrics(metrics)


if __name__ == "__main__":
    run_stage(main)
