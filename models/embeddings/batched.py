"""Skip-gram with negative sampling in large batches: the torch module, for a GPU, on pairs that the GPU makes itself."""

import torch
from torch import Tensor

from models.embeddings.hogwild import Corpus, Progress
from models.embeddings.negative_sampling import NegativeSampling
from models.embeddings.sampling import FULL, keep_thresholds, noise_distribution
from models.embeddings.skip_gram import SkipGram
from models.embeddings.word2vec import Counts, Settings
from models.embeddings.workspace import Floats


def train_batched(
    corpus: Corpus,
    counts: Counts,
    settings: Settings,
    *,
    batch: int,
    noise: int,
    device: str,
    seed: int,
    progress: Progress | None = None,
) -> Floats:
    """Skip-gram vectors of all words, by AdaGrad: plain steps are too long for frequent words, of which a batch has many.

    Args:
        corpus: to train on.
        counts: how often each word occurs, V.
        settings: how to train; the learning rates are those of AdaGrad.
        batch: words of the corpus in a step, before frequent ones are skipped.
        noise: noise words that the pairs of a batch share.
        device: to train on, cpu or cuda.
        seed: of all random numbers.
        progress: called with the words of each batch that is done, `settings.epochs * len(corpus.tokens)` in all.

    Returns:
        [V, d].

    Raises:
        ValueError: the corpus is empty, has one word alone, or does not fit the counts.
    """
    corpus.check(counts)
    torch.manual_seed(seed)
    model = SkipGram(len(counts), settings.dimension, NegativeSampling(len(counts), settings.dimension, settings.negatives))
    model.to(device)
    chunks = -(-len(corpus.tokens) // batch)
    optimizer = torch.optim.Adagrad(model.parameters(), settings.learning_rate)
    fall = (1 - settings.last_rate / settings.learning_rate) / (settings.epochs * chunks)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - fall * step)
    keep = torch.from_numpy(keep_thresholds(counts, settings.sample) / FULL).to(device, torch.float32)
    distribution = torch.from_numpy(noise_distribution(counts)).to(device, torch.float32)
    for number in range(settings.epochs * chunks):
        words, ends = (torch.from_numpy(array).to(device) for array in corpus.chunk(number % chunks, batch, len(counts)))
        inputs, targets = make_pairs(*skip_frequent(words.long(), ends, keep), settings.window)
        optimizer.zero_grad()
        model(inputs, targets, torch.multinomial(distribution, noise, replacement=True)).backward()
        optimizer.step()
        schedule.step()
        if progress:
            progress(len(words))
    vectors: Floats = model.inputs.weight.detach().cpu().numpy()
    return vectors


def skip_frequent(words: Tensor, ends: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Skip occurrences of frequent words.

    Args:
        words: [N].
        ends: where sentences end, ascending to N, [S].
        keep: probability to keep each word, [V].

    Returns:
        The words that are left, and the number of the sentence of each.
    """
    kept = (torch.rand(len(words), device=words.device) < keep[words]).nonzero()[:, 0]
    return words[kept], torch.bucketize(kept, ends, right=True)


def make_pairs(words: Tensor, sentences: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """All pairs of words of one sentence that are no further apart than the second one's window reaches.

    Args:
        words: [N].
        sentences: number of each one's sentence, ascending, [N].
        window: each word's window reaches a random number of words, from 1 to this.

    Returns:
        Words of the context and centres: the inputs of a skip-gram and what they predict, [number of pairs] each.
    """
    left = torch.arange(len(words), device=words.device).expand(window, -1)
    distance = torch.arange(1, window + 1, device=words.device)[:, None]
    right = (left + distance).clamp(max=len(words) - 1)
    near = (left + distance == right) & (sentences[left] == sentences[right])  # [window, N]
    reach = torch.randint(1, window + 1, words.shape, device=words.device)
    left_centre, right_centre = near & (distance <= reach[left]), near & (distance <= reach[right])
    contexts = torch.cat((right[left_centre], left[right_centre]))
    centres = torch.cat((left[left_centre], right[right_centre]))
    return words[contexts], words[centres]
