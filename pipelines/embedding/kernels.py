"""The methods that have their own training loop over a memory-mapped corpus."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from models.embeddings.bags import subword_bags
from models.embeddings.hogwild import Corpus
from models.embeddings.word2vec import Word2VecSettings, train_fasttext, train_word2vec
from models.text.subword_ngrams import Subwords
from models.text.vectors import VOCABULARY, WordVectors
from models.text.words import WordVocabulary
from pipelines.embedding.keeper import FileKeeper
from pipelines.embedding.sentences import read_corpus
from pipelines.paths import DATA
from pipelines.progress import Progress
from pipelines.settings.params import Params
from pipelines.settings.vectors import CbowVectors, FastTextVectors, GloVeVectors, SkipGramVectors, WindowVectors
from pipelines.stage import threads
from pipelines.training.work import Learned, Report, Row

if TYPE_CHECKING:
    from pipelines.training.world import World

VECTORS, NGRAMS = "vectors", "ngrams"  # names of the learned matrices
Matrices = dict[str, NDArray[Any]]
MANY = 1000  # minimum vocabulary for several threads: with fewer words they would often write to the same vectors


def learn(name: str, params: Params, checkpoints: Path, report: Report, world: "World | None") -> Learned:  # noqa: ARG001 - required by Learner
    """See Learner. Uses all cores available to the stage, or the device of the engine; one core if there are few words.

    Modules that need torch are imported locally: the import takes longer than training with some methods.
    """
    settings, history = params.method(name), list[Row]()

    def row(one: Row) -> None:
        history.append(one)
        report(one)

    folder, keeper = DATA / settings.data, FileKeeper(checkpoints, row)
    corpus, vocabulary = read_corpus(folder / "train"), WordVocabulary.load(folder / VOCABULARY)
    if isinstance(settings, GloVeVectors):
        from pipelines.embedding.cooccurring import glove_matrix

        return Learned({VECTORS: glove_matrix(name, settings, corpus, len(vocabulary), params.seed, keeper)}, history)
    if not isinstance(settings, WindowVectors):
        raise ValueError(f"{name} does not have its own training loop")
    with Progress(name, len(corpus.tokens) * settings.epochs, "words", len(corpus.tokens) * keeper.passes) as bar:
        train = _trainer(settings, corpus, vocabulary, params)
        return Learned(train(seed=params.seed, progress=bar.advance, keeper=keeper), history)


def _trainer(settings: WindowVectors, corpus: Corpus, vocabulary: WordVocabulary, params: Params) -> Callable[..., Matrices]:
    """The training function; it takes a seed, a progress callback and a keeper of passes."""
    words = Word2VecSettings(**settings.model_dump(include={*Word2VecSettings.__annotations__}))
    counts, cores = vocabulary.counts, threads() if len(vocabulary) >= MANY else 1
    if isinstance(settings, FastTextVectors):
        bags = subword_bags(vocabulary.words, settings.shortest_ngram, settings.longest_ngram, settings.buckets)
        both = partial(train_fasttext, corpus, counts, bags, settings.buckets, words, threads=cores)
        return lambda **more: dict(zip((VECTORS, NGRAMS), both(**more), strict=True))
    if isinstance(settings, SkipGramVectors) and settings.engine == "batched":
        from models.embeddings.batched import train_batched
        from pipelines.training.hardware import pick_device

        device = pick_device(params.device)
        one = partial(train_batched, corpus, counts, words, batch=settings.batch, noise=settings.noise, device=device)
    elif isinstance(settings, SkipGramVectors | CbowVectors):
        one = partial(train_word2vec, settings.algorithm, settings.objective, corpus, counts, words, threads=cores)
    else:
        raise ValueError(f"{type(settings).__name__} has no trainer")
    return lambda **more: {VECTORS: one(**more)}


def finish(
    settings: WindowVectors | GloVeVectors,
    vocabulary: WordVocabulary,
    weights: Mapping[str, NDArray[Any]],
    provenance: Mapping[str, object],
) -> WordVectors:
    """The vectors, with subword n-grams for unknown words if the method learned them."""
    subwords = None
    if isinstance(settings, FastTextVectors):
        subwords = Subwords(weights[NGRAMS], settings.shortest_ngram, settings.longest_ngram)
    return WordVectors(vocabulary, weights[VECTORS], provenance, subwords)
