"""The kernels of word2vec and fastText for CPUs: one loop over the windows of a chunk, for any method and objective."""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

from models.cpu.arithmetic import add, scale, zeros
from models.cpu.compiled import compiled, inlined
from models.cpu.lanes import LANES
from models.cpu.registers import load, store
from models.embeddings.draws import keep_and_reach
from models.embeddings.step import BLOCK, step
from models.embeddings.windows import ZERO, bag_inputs, context_inputs, context_outputs, noise_outputs, path_outputs

Method = Literal["skip_gram", "cbow", "fasttext"]
Objective = Literal["negative_sampling", "hierarchical_softmax"]
Part = Callable[..., Any]
Kernel = Callable[..., int]


@inlined
def learn_each(space: Any, first: Any, last: Any, slot: Any, blocks: Any) -> None:
    """A step on each input separately."""
    model, inputs, width, count = space.model, space.inputs, len(space.shape.row) * LANES, last - first
    for m in range(count):
        for k in range(0, width, LANES):
            store(inputs.vectors, m * width + k, load(model.x, inputs.places[first + m] + k))
    for b in range(blocks):
        step(space, count, model.x, inputs.places, first, slot + b * BLOCK)


@inlined
def learn_mean(space: Any, first: Any, last: Any, slot: Any, blocks: Any) -> None:
    """A step on the mean of the inputs; each input gets the full step, as in word2vec.c and fastText."""
    x, inputs, width, share = space.model.x, space.inputs, len(space.shape.row) * LANES, 1 / (last - first)
    for k in range(0, width, LANES):
        total = zeros((0,))[0]
        store(inputs.change, k, total)
        for m in range(first, last):
            total = add(total, load(x, inputs.places[m] + k))
        store(inputs.vectors, k, scale(total, share))
    for b in range(blocks):
        step(space, 1, inputs.change, inputs.start, ZERO, slot + b * BLOCK)
    for m in range(first, last):
        for k in range(0, width, LANES):
            place = inputs.places[m] + k
            store(x, place, add(load(x, place), load(inputs.change, k)))


# For each method and objective: the inputs of a window, its outputs, and the update.
PARTS: dict[tuple[Method, Objective], tuple[Part, Part, Part]] = {
    ("skip_gram", "negative_sampling"): (context_inputs, noise_outputs, learn_each),
    ("skip_gram", "hierarchical_softmax"): (context_inputs, path_outputs, learn_each),
    ("cbow", "negative_sampling"): (context_inputs, noise_outputs, learn_mean),
    ("cbow", "hierarchical_softmax"): (context_inputs, path_outputs, learn_mean),
    ("fasttext", "negative_sampling"): (bag_inputs, context_outputs, learn_mean),
}


@cache
def word2vec_kernel(method: Method, objective: Objective) -> Kernel:
    """The kernel of a method.

    Returns:
        A function of the words of a chunk, int32 [N], where each sentence ends in it, int64 [S] with N as the last, the learning
        rate, float32, and a `Workspace`. It returns the number of words that it did not skip.
    """
    add_inputs, add_outputs, learn = PARTS[method, objective]

    def kernel(words: Any, ends: Any, rate: Any, space: Any) -> int:
        input_slot, output_slot = len(space.inputs.places) // 2, len(space.outputs.words) // 2
        first: Any = ZERO
        last, blocks = first, first
        count = keep_and_reach(words, ends, space.windows, space.state)
        for i in range(count + 1):  # prepares window i, then trains on window i - 1
            start, end, ready = first, last, blocks
            if i < count:
                first = i % 2 * input_slot
                last = add_inputs(space, first, i)
                blocks = add_outputs(space, i % 2 * output_slot, i, rate)
            if end > start:
                learn(space, start, end, (i + 1) % 2 * output_slot, ready)
        return count

    return compiled(kernel)
