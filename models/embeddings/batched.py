"""Skip-gram with negative sampling in large batches: the torch module, for a GPU, with pairs generated on the GPU."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from models.embeddings.hogwild import Corpus, Progress, Schedule
from models.embeddings.negative_sampling import NegativeSampling
from models.embeddings.passes import NO_KEEPER, Keeper, Reached
from models.embeddings.sampling import FULL, keep_thresholds, noise_distribution
from models.embeddings.skip_gram import SkipGram
from models.embeddings.word2vec import Counts, Word2VecSettings
from models.embeddings.workspace import Floats


def train_batched(
    corpus: Corpus,
    counts: Counts,
    settings: Word2VecSettings,
    *,
    batch: int,
    noise: int,
    device: str,
    seed: int,
    progress: Progress | None = None,
    keeper: Keeper = NO_KEEPER,
) -> Floats:
    """Train skip-gram vectors of all words with AdaGrad: plain SGD takes too large steps for words that are frequent in a batch.

    Args:
        corpus: training corpus.
        counts: occurrences of each word, [V].
        settings: training settings; the learning rates are those of AdaGrad.
        batch: words of the corpus in a step, before frequent ones are skipped.
        noise: number of noise words, shared by all pairs of a batch.
        device: cpu or cuda.
        seed: of all random numbers.
        progress: called with the number of words of each finished batch, `settings.epochs * len(corpus.tokens)` in total.
        keeper: stores finished passes; training resumes from the last one.

    Returns:
        [V, d].

    Raises:
        ValueError: the corpus is empty, has only one distinct word, or does not match the counts.
    """
    corpus.check(counts)
    schedule = Schedule(settings.epochs, settings.learning_rate, settings.last_rate)
    torch.manual_seed(seed)
    model = SkipGram(len(counts), settings.dimension, NegativeSampling(len(counts), settings.dimension, settings.negatives))
    model.to(device)
    chunks = -(-len(corpus.tokens) // batch)
    optimizer = torch.optim.Adagrad(model.parameters(), settings.learning_rate)
    kept = changing(model, optimizer)
    done = resume(kept, keeper)
    keep = torch.from_numpy(keep_thresholds(counts, settings.sample) / FULL).to(device, torch.float32)
    distribution = torch.from_numpy(noise_distribution(counts)).to(device, torch.float32)
    for number in range(done * chunks, settings.epochs * chunks):
        done, chunk = divmod(number, chunks)
        if chunk == 0:
            torch.manual_seed(int(np.random.SeedSequence((seed, done)).generate_state(1)[0]))
        words, ends = (torch.from_numpy(array).to(device) for array in corpus.chunk(chunk, batch, len(counts)))
        inputs, targets = make_pairs(*skip_frequent(words.long(), ends, keep), settings.window)
        optimizer.param_groups[0]["lr"] = schedule.rate(number / (settings.epochs * chunks))
        optimizer.zero_grad()
        model(inputs, targets, torch.multinomial(distribution, noise, replacement=True)).backward()
        optimizer.step()
        if progress:
            progress(len(words))
        if chunk == chunks - 1:
            keeper.keep(Reached(done + 1, {name: tensor.cpu().numpy() for name, tensor in kept.items()}))
    vectors: Floats = model.inputs.weight.detach().cpu().numpy()
    return vectors


def changing(model: nn.Module, optimizer: torch.optim.Adagrad) -> dict[str, Tensor]:
    """The tensors that training changes, by name: parameters, and AdaGrad's sums of their squared gradients."""
    parameters = dict(model.named_parameters())
    sums = {f"{name}.sum": optimizer.state[parameter]["sum"] for name, parameter in parameters.items()}
    return {name: parameter.detach() for name, parameter in parameters.items()} | sums


def resume(kept: Mapping[str, Tensor], keeper: Keeper) -> int:
    """Restore the tensors from the last stored pass, and return the number of finished passes."""
    last = keeper.last()
    if last is None:
        return 0
    for name, tensor in kept.items():
        tensor.copy_(torch.from_numpy(last.arrays[name]))
    return last.passes


def skip_frequent(words: Tensor, ends: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Skip occurrences of frequent words at random.

    Args:
        words: [N].
        ends: where sentences end, ascending to N, [S].
        keep: probability to keep each word, [V].

    Returns:
        The remaining words, and the sentence index of each.
    """
    kept = (torch.rand(len(words), device=words.device) < keep[words]).nonzero()[:, 0]
    return words[kept], torch.bucketize(kept, ends, right=True)


def make_pairs(words: Tensor, sentences: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """All pairs of a context word and a centre of the same sentence, with the context word within the centre's window.

    Args:
        words: [N].
        sentences: index of each word's sentence, ascending, [N].
        window: largest window; each word's is drawn from 1 to this.

    Returns:
        Context words and centres: the inputs and targets of skip-gram, [number of pairs] each.
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
