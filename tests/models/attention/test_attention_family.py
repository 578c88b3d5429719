"""Properties of every attention over a memory: weights, order, independent queries, and padding."""

from random import Random
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from questions import ask, assert_close, assert_same, gradients, make_attention, other_padding, ragged, random, weights_of
from torch import Tensor

from models.attention.additive import BahdanauAttention
from models.attention.family import ATTENTIONS
from models.attention.interface import Attention
from models.attention.pooling import AttentionPooling
from models.names import AttentionName

Q, M, A, HEADS = 6, 5, 4, 2

names = st.sampled_from(list(ATTENTIONS))
rows = st.lists(st.integers(1, 6), min_size=1, max_size=4)
counts = st.integers(1, 4)


def make(name: AttentionName, lengths: list[int], count: int) -> tuple[Attention, Tensor, Tensor, Tensor]:
    """An attention, and `count` queries, a memory and its mask."""
    torch.manual_seed(0)
    size = Q if name in ("dot", "scaled_dot") else M
    return make_attention(name, Q, size, A, HEADS), random(len(lengths), count, Q), *ragged(lengths, size)


@given(names, rows, counts)
def test_weights_sum_to_one_outside_the_padding(name: AttentionName, lengths: list[int], count: int) -> None:
    attention, query, memory, mask = make(name, lengths, count)
    context, weights = ask(attention, query, memory, mask)
    assert context.shape == (len(lengths), count, attention.context_size)
    assert_close(weights.sum(2), torch.ones(len(lengths), count, dtype=torch.float64))
    assert weights.masked_select(mask[:, None]).gt(0).all()
    assert not weights.masked_select(~mask[:, None]).any()


@given(names, rows, counts)
def test_the_content_of_padding_has_no_effect(name: AttentionName, lengths: list[int], count: int) -> None:
    attention, query, memory, mask = make(name, lengths, count)
    other, rest = other_padding(memory, mask), [query, *weights_of(attention).values()]
    answer = ask(attention, query, memory, mask)
    assert_same(answer, ask(attention, query, other, mask), [memory, *rest], [other, *rest])
    assert not gradients(answer, [memory])[0][~mask].any()


@given(names, rows, counts)
def test_all_queries_at_once_equal_one_at_a_time(name: AttentionName, lengths: list[int], count: int) -> None:
    attention, query, memory, mask = make(name, lengths, count)
    one_by_one = zip(*(ask(attention, q, memory, mask) for q in torch.split(query, 1, 1)), strict=True)
    assert_same(ask(attention, query, memory, mask), [torch.cat(parts, 1) for parts in one_by_one])


@given(names, rows, counts, st.randoms(use_true_random=False))
def test_a_permuted_memory_only_permutes_the_weights(name: AttentionName, lengths: list[int], count: int, chance: Random) -> None:
    attention, query, memory, mask = make(name, lengths, count)
    order = torch.tensor(chance.sample(range(max(lengths)), max(lengths)))
    context, weights = ask(attention, query, memory, mask)
    assert_same(ask(attention, query, memory[:, order], mask[:, order]), (context, weights[:, :, order]))


@pytest.mark.parametrize("name", ATTENTIONS)
def test_two_memories_can_be_queried_alternately(name: AttentionName) -> None:
    attention, *first = make(name, [3, 5], 2)
    _, *second = make(name, [4, 1, 2], 3)
    expected = [ask(attention, *first), ask(attention, *second)]
    prepared = [(query, *attention.prepare(memory), mask) for query, memory, mask in (first, second)]
    for i in (1, 0, 1):
        assert_same(attention(*prepared[i]), expected[i])


def test_every_name_has_an_attention() -> None:
    assert set(ATTENTIONS) == set(get_args(AttentionName))


@pytest.mark.parametrize("name", ["dot", "scaled_dot"])
def test_a_dot_product_of_different_sizes_is_rejected(name: AttentionName) -> None:
    with pytest.raises(ValueError, match="query_size 6 and memory_size 5"):
        ATTENTIONS[name](6, 5, A, HEADS)


def test_a_size_not_divisible_by_the_heads_is_rejected() -> None:
    with pytest.raises(ValueError, match="attention_size 4 is not a multiple of 3 heads"):
        ATTENTIONS["multihead"](Q, M, 4, 3)


@given(rows)
def test_pooling_equals_additive_attention_with_a_constant_query(lengths: list[int]) -> None:
    torch.manual_seed(0)
    pooling, attention = AttentionPooling(M, A).double(), BahdanauAttention(1, M, A).double()
    v, w, b = pooling.energy.weight, pooling.hidden.weight, pooling.hidden.bias
    attention.load_state_dict({"query.weight": b[:, None], "key.weight": w, "energy.weight": v})
    states, mask = ragged(lengths, M)
    answer = ask(attention, torch.ones(len(lengths), 1, 1, dtype=torch.float64), states, mask)
    assert_same(pooling(states, mask), [part[:, 0] for part in answer], [states], [states])


@given(rows)
def test_pooling_does_not_see_the_padding(lengths: list[int]) -> None:
    torch.manual_seed(0)
    pooling, (states, mask) = AttentionPooling(M, A).double(), ragged(lengths, M)
    other, weights, answer = other_padding(states, mask), list(pooling.parameters()), pooling(states, mask)
    assert_same(answer, pooling(other, mask), [states, *weights], [other, *weights])
    assert not gradients(answer, [states])[0][~mask].any()
