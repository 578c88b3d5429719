"""The methods that train by the common loop."""

from collections.abc import Callable, Mapping

from models.text.words import WordVocabulary
from pipelines.embedding.elmo import split_corpus, train_elmo
from pipelines.embedding.made import Made
from pipelines.embedding.ngram_lm import train_ngram_lm
from pipelines.embedding.sentences import read_corpus
from pipelines.params import Params
from pipelines.paths import CHECKPOINTS, DATA
from pipelines.settings.vectors import ElmoVectors, NgramVectors
from pipelines.store import Rows, Split
from pipelines.training.checkpoints import fingerprint
from pipelines.training.fit import Job, Row


def fit_vectors(
    name: str,
    settings: NgramVectors | ElmoVectors,
    params: Params,
    vocabulary: WordVocabulary,
    provenance: Mapping[str, object],
    report: Callable[[Row], None],
) -> Made:
    """Make vectors by one of these methods.

    Args:
        name: of the method.
        settings: of the method.
        params: see params.yaml.
        vocabulary: of its corpus.
        provenance: of the vectors.
        report: see `fit`.

    Raises:
        ValueError: the corpus or the settings cannot give any vectors.
    """
    folder = DATA / settings.data
    if isinstance(settings, NgramVectors):
        job = _job(name, settings, params, Split(folder / "train"), Split(folder / "valid"))
        return Made(*train_ngram_lm(settings, folder, params.brown.prepare.order, job, provenance, report))
    splits = split_corpus(settings, read_corpus(folder / "train"))
    job = _job(name, settings, params, splits["train"], splits["valid"])
    vectors, contextual, measured = train_elmo(settings, vocabulary, splits["test"], job, provenance, report)
    return Made(vectors, measured, contextual)


def _job(name: str, settings: NgramVectors | ElmoVectors, params: Params, train: Rows, valid: Rows) -> Job:
    identity = [settings.model_dump_json(), *map(str, (params.seed, params.device, params.precision))]
    return Job(
        train=train,
        valid=valid,
        params=settings.train,
        seed=params.seed,
        device=params.device,
        precision=params.precision,
        checkpoints=CHECKPOINTS / name / fingerprint(identity, DATA / settings.data),
    )
