"""Each attention equals its paper's equation in NumPy, torch's implementation if there is one, and its special cases."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from questions import ask, assert_same, make_attention, ragged, random, weights_of
from torch import nn
from torch.nn import functional

from models.attention.additive import BahdanauAttention, ConcatAttention
from models.attention.family import ATTENTIONS
from models.attention.multi_head import MultiHeadAttention
from models.attention.multiplicative import ScaledDotAttention
from models.names import AttentionName

Q, M, A, HEADS, T = 6, 5, 4, 2, 3
LENGTHS = (4, 1, 7)
B, S = len(LENGTHS), max(LENGTHS)
Array = NDArray[np.float64]
Weights = Mapping[str, Array]
Score = Any  # a number; NumPy's types do not express it
Answer = Callable[[Weights, Array, list[Array]], tuple[Array, Array]]


def bahdanau(w: Weights, s: Array, h: Array) -> Score:
    return w["energy"][0] @ np.tanh(w["query"] @ s + w["key"] @ h)


def dot(_w: Weights, s: Array, h: Array) -> Score:
    return s @ h


def general(w: Weights, s: Array, h: Array) -> Score:
    return s @ w["key"] @ h


def concat(w: Weights, s: Array, h: Array) -> Score:
    return w["energy"][0] @ np.tanh(w["hidden"] @ np.concatenate((s, h)))


def scaled_dot(_w: Weights, s: Array, h: Array) -> Score:
    return s @ h / np.sqrt(len(h))


def mean(scores: list[Score], vectors: list[Array]) -> tuple[Array, Array]:
    total = sum(np.exp(score) for score in scores)
    shares = [np.exp(score) / total for score in scores]
    return np.sum([share * vector for share, vector in zip(shares, vectors, strict=True)], axis=0), np.array(shares)


def by_score(score: Callable[[Weights, Array, Array], Score]) -> Answer:
    return lambda w, s, memory: mean([score(w, s, h) for h in memory], memory)


def multihead(w: Weights, s: Array, memory: list[Array]) -> tuple[Array, Array]:
    contexts, shares = [], []
    for w_q, w_k, w_v in zip(*(np.split(w[name], HEADS) for name in ("query", "key", "value")), strict=True):
        scores = [(w_q @ s) @ (w_k @ h) / np.sqrt(A / HEADS) for h in memory]
        context, alpha = mean(scores, [w_v @ h for h in memory])
        contexts.append(context)
        shares.append(alpha)
    return w["output"] @ np.concatenate(contexts), np.mean(shares, axis=0)


PAPERS = {f.__name__: by_score(f) for f in (bahdanau, dot, general, concat, scaled_dot)} | {"multihead": multihead}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_each_is_its_papers_equation(name: AttentionName) -> None:
    torch.manual_seed(0)
    size = Q if name in ("dot", "scaled_dot") else M
    attention, query, (memory, mask) = make_attention(name, Q, size, A, HEADS), random(B, T, Q), ragged(LENGTHS, size)
    context, weights = (answer.detach().numpy() for answer in ask(attention, query, memory, mask))
    w = {n.removesuffix(".weight"): p.detach().numpy() for n, p in weights_of(attention).items()}
    for b, length in enumerate(LENGTHS):
        for t in range(T):
            c, alpha = PAPERS[name](w, query[b, t].detach().numpy(), list(memory[b, :length].detach().numpy()))
            np.testing.assert_allclose(context[b, t], c, atol=1e-12, rtol=0)
            np.testing.assert_allclose(weights[b, t, :length], alpha, atol=1e-12, rtol=0)


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_multi_head_equals_torch(heads: int) -> None:
    torch.manual_seed(0)
    ours = MultiHeadAttention(Q, M, Q, heads).double()
    theirs = nn.MultiheadAttention(Q, heads, bias=False, kdim=M, vdim=M, batch_first=True).double()
    pairs = {"q_proj_weight": "query", "k_proj_weight": "key", "v_proj_weight": "value", "out_proj.weight": "output"}
    theirs.load_state_dict({their: ours.get_parameter(f"{our}.weight") for their, our in pairs.items()})
    query, (memory, mask) = random(B, T, Q), ragged(LENGTHS, M)
    assert_same(
        ask(ours, query, memory, mask),
        theirs(query, memory, memory, key_padding_mask=~mask),
        [query, memory, *(ours.get_parameter(f"{our}.weight") for our in pairs.values())],
        [query, memory, *(theirs.get_parameter(their) for their in pairs)],
    )


def test_concat_equals_additive_with_its_matrix_split() -> None:
    torch.manual_seed(0)
    ours, theirs = ConcatAttention(Q, M, A).double(), BahdanauAttention(Q, M, A).double()
    w_a, u_a = torch.split(ours.hidden.weight, [Q, M], 1)
    theirs.load_state_dict({"query.weight": w_a, "key.weight": u_a, "energy.weight": ours.energy.weight})
    query, (memory, mask) = random(B, T, Q), ragged(LENGTHS, M)
    assert_same(
        ask(ours, query, memory, mask),
        ask(theirs, query, memory, mask),
        [query, memory, ours.energy.weight],
        [query, memory, theirs.energy.weight],
    )


def test_scaled_dot_equals_torch() -> None:
    torch.manual_seed(0)
    query, (memory, mask) = random(B, T, Q), ragged(LENGTHS, Q)
    positions = torch.eye(S, dtype=torch.float64).expand(B, S, S)  # with these values, the context is the weights
    expected = [
        functional.scaled_dot_product_attention(query, memory, values, attn_mask=mask[:, None]) for values in (memory, positions)
    ]
    assert_same(ask(ScaledDotAttention(Q, Q), query, memory, mask), expected, [query, memory], [query, memory])
