"""GloVe on the CPU: an AdaGrad step for each entry of X; all threads update the same parameters without locks.

This is Hogwild (Niu et al. 2011, arXiv 1106.5730): two threads rarely update the same word at once, and then little is lost.
As in the authors' code, AdaGrad sums the squares of the steps eta g, starting at 1,

    G     <- G + (eta g)^2
    theta <- theta - eta g / sqrt(G)

which equals torch.optim.Adagrad with learning rate 1, sums that start at 1 / eta^2, and eps 0.

For each word the parameters hold the vector and the sums G of its coordinates: [V, 2, 2, P]. The second index is 0 for the word
and 1 for the context, the third 0 for the vector and 1 for G. Biases and padding extend the vectors to whole registers,

    word     w_1 .. w_d  b  1   0 .. 0
    context  w~_1 .. w~_d  1  b~  0 .. 0

so that their product is w^T w~ + b + b~, and one loop without a remainder updates all of them. The ones stay constant because
their G is huge.
"""

from collections.abc import Callable
from functools import cache
from math import sqrt

import numpy as np
import numpy.typing as npt
from numba import njit

Float = np.float32
Floats = npt.NDArray[Float]
Ids = npt.NDArray[np.int32]
Kernel = Callable[[Floats, Ids, Ids, Floats, Floats, float], float]

WORD, CONTEXT, VECTOR, SQUARES = 0, 1, 0, 1
REGISTER = 16  # float32 numbers in the widest vector register
FROZEN = 1e30  # a step is divided by 1e15: less than half the spacing of the numbers around 1

compiled = njit(nogil=True, fastmath=True, error_model="numpy")  # divisors are not checked, so loops can be vectorized


def padded_size(dimension: int) -> int:
    """P: the vector and two biases in whole registers."""
    return -(-(dimension + 2) // REGISTER) * REGISTER


def initial_parameters(vocabulary_size: int, dimension: int, generator: np.random.Generator) -> Floats:
    """Vectors and biases uniform in +-1/(2d), as in the authors' code: [V, 2, 2, P]."""
    parameters = np.zeros((vocabulary_size, 2, 2, padded_size(dimension)), np.float32)
    parameters[:, :, SQUARES] = 1
    for side, bias, one in ((WORD, dimension, dimension + 1), (CONTEXT, dimension + 1, dimension)):
        vectors, squares = parameters[:, side, VECTOR], parameters[:, side, SQUARES]
        vectors[:, :dimension] = (generator.random((vocabulary_size, dimension), np.float32) - 0.5) / dimension
        vectors[:, bias] = (generator.random(vocabulary_size, np.float32) - 0.5) / dimension
        vectors[:, one], squares[:, one] = 1, FROZEN
    return parameters


def sum_vectors(parameters: Floats, dimension: int) -> Floats:
    """The vectors w + w~ of all words: [V, d]."""
    vectors: Floats = parameters[:, WORD, VECTOR, :dimension] + parameters[:, CONTEXT, VECTOR, :dimension]
    return vectors


@cache
def glove_kernel(dimension: int) -> Kernel:
    """Compile the steps for one d: the compiler then vectorizes the loops without a remainder.

    Args:
        dimension: d.

    Returns:
        A function of the parameters, updated in place, rows i [N], columns j [N], log X_ij [N], f(X_ij) [N] and eta. Pair by
        pair, it takes a step on X_ij and, if i and j differ, on X_ji. It returns their part of J before the steps, and releases
        the interpreter lock.
    """
    size = padded_size(dimension)

    def step(parameters: Floats, i: int, j: int, log_count: Float, importance: Float, rate: Float) -> Float:
        word, word_squares = parameters[i, WORD, VECTOR], parameters[i, WORD, SQUARES]
        context, context_squares = parameters[j, CONTEXT, VECTOR], parameters[j, CONTEXT, SQUARES]
        product = np.float32(0)
        for k in range(size):
            product += word[k] * context[k]
        error = product - log_count
        scale = rate * importance * error
        for k in range(size):
            word_step, context_step = scale * context[k], scale * word[k]  # eta g
            word_square = word_squares[k] + word_step * word_step
            context_square = context_squares[k] + context_step * context_step
            word_squares[k], context_squares[k] = word_square, context_square
            word[k] -= word_step / sqrt(word_square)
            context[k] -= context_step / sqrt(context_square)
        return importance * error * error / 2

    compiled_step = compiled(step)

    def steps(parameters: Floats, rows: Ids, columns: Ids, log_counts: Floats, importances: Floats, rate: float) -> float:
        loss, eta = np.float64(0), np.float32(rate)
        for n in range(len(rows)):
            i, j, log_count, importance = rows[n], columns[n], log_counts[n], importances[n]
            loss += compiled_step(parameters, i, j, log_count, importance, eta)
            if i != j:
                loss += compiled_step(parameters, j, i, log_count, importance, eta)
        return loss

    kernel: Kernel = compiled(steps)
    return kernel
