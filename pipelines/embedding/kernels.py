"""The methods that train on a memory-mapped corpus by loops of their own."""

from collections.abc import Mapping
from typing import Literal

from models.embeddings.bags import subword_bags
from models.embeddings.hogwild import Corpus
from models.embeddings.word2vec import Settings, train_fasttext, train_word2vec
from models.text.subword_ngrams import Subwords
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary
from pipelines.progress import Progress
from pipelines.settings.vectors import FastTextVectors, GloVeVectors, SkipGramVectors, Word2VecVectors
from pipelines.stage import threads


def train_words(
    name: str,
    settings: Word2VecVectors | FastTextVectors | GloVeVectors,
    corpus: Corpus,
    vocabulary: WordVocabulary,
    provenance: Mapping[str, object],
    seed: int,
    device: str,
) -> WordVectors:
    """Vectors of all words, by the cores that the stage may use, or by the engine that uses a device.

    What needs torch is imported where it is used: that takes longer than some methods take to train.

    Args:
        name: of the method.
        settings: see params.yaml.
        corpus: to train on.
        vocabulary: of its words.
        provenance: of the vectors.
        seed: of first vectors and of all draws.
        device: auto, cpu or cuda; for the engine `batched` alone.

    Raises:
        ValueError: the corpus is empty or does not fit the vocabulary, or the device is not there.
        FloatingPointError: the vectors grew beyond what a float holds.
    """
    cores = threads()
    if isinstance(settings, GloVeVectors):
        from pipelines.embedding.cooccurring import glove_matrix

        return WordVectors(vocabulary, glove_matrix(settings, corpus, len(vocabulary), cores, seed), provenance)
    plain = settings.model_dump(include={*Settings.__annotations__})
    words, counts = Settings(**plain), vocabulary.counts
    with Progress(name, len(corpus.tokens) * settings.epochs, "words") as bar:
        if isinstance(settings, FastTextVectors):
            ngrams = settings.shortest_ngram, settings.longest_ngram
            bags = subword_bags(vocabulary.words, *ngrams, settings.buckets)
            matrix, buckets = train_fasttext(
                corpus, counts, bags, settings.buckets, words, threads=cores, seed=seed, progress=bar.advance
            )
            return WordVectors(vocabulary, matrix, provenance, Subwords(buckets, *ngrams))
        if isinstance(settings, SkipGramVectors) and settings.engine == "batched":
            from models.embeddings.batched import train_batched
            from pipelines.training.hardware import pick_device

            matrix = train_batched(
                corpus,
                counts,
                words,
                batch=settings.batch,
                noise=settings.noise,
                device=pick_device(device),
                seed=seed,
                progress=bar.advance,
            )
            return WordVectors(vocabulary, matrix, provenance)
        method: Literal["skip_gram", "cbow"] = "skip_gram" if name == "skip-gram" else "cbow"
        matrix = train_word2vec(method, settings.objective, corpus, counts, words, threads=cores, seed=seed, progress=bar.advance)
    return WordVectors(vocabulary, matrix, provenance)
