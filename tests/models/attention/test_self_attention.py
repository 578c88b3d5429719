"""Self-attention is independent of the order of positions and ignores padding."""

from random import Random

import torch
from hypothesis import given
from hypothesis import strategies as st
from questions import assert_close, assert_same, gradients, other_padding, ragged
from torch import nn

from models.attention.family import ATTENTIONS
from models.attention.multi_head import MultiHeadAttention
from models.attention.self_attention import SelfAttention
from models.names import AttentionName

M, A, HEADS = 6, 4, 2

names = st.sampled_from(list(ATTENTIONS))
rows = st.lists(st.integers(1, 6), min_size=1, max_size=4)


def make(name: AttentionName) -> SelfAttention:
    torch.manual_seed(0)
    return SelfAttention(ATTENTIONS[name](M, M, A, HEADS)).double()


@given(names, rows, st.randoms(use_true_random=False))
def test_a_permuted_sequence_gets_permuted_contexts(name: AttentionName, lengths: list[int], chance: Random) -> None:
    attention, (x, mask) = make(name), ragged(lengths, M)
    order = torch.tensor(chance.sample(range(max(lengths)), max(lengths)))
    context, weights = attention(x, mask)
    assert_same(attention(x[:, order], mask[:, order]), (context[:, order], weights[:, order][:, :, order]))


@given(names, rows)
def test_weights_sum_to_one_and_are_zero_at_padding(name: AttentionName, lengths: list[int]) -> None:
    attention, (x, mask) = make(name), ragged(lengths, M)
    context, weights = attention(x, mask)
    assert context.shape == (*x.shape[:2], attention.context_size)
    assert_close(weights.sum(2), mask.double())
    assert not context[~mask].any()
    assert not weights.masked_select(~mask[:, None]).any()


@given(names, rows)
def test_the_content_of_padding_has_no_effect(name: AttentionName, lengths: list[int]) -> None:
    attention, (x, mask) = make(name), ragged(lengths, M)
    other, weights, answer = other_padding(x, mask), list(attention.parameters()), attention(x, mask)
    assert_same(answer, attention(other, mask), [x, *weights], [other, *weights])
    assert not gradients(answer, [x])[0][~mask].any()


@given(rows)
def test_several_heads_equal_torch(lengths: list[int]) -> None:
    torch.manual_seed(0)
    heads, (x, mask) = MultiHeadAttention(M, M, M, 3).double(), ragged(lengths, M)
    theirs = nn.MultiheadAttention(M, 3, bias=False, batch_first=True).double()
    stacked = torch.cat((heads.query.weight, heads.key.weight, heads.value.weight))
    theirs.load_state_dict({"in_proj_weight": stacked, "out_proj.weight": heads.output.weight})
    ours, expected = SelfAttention(heads)(x, mask), theirs(x, x, x, key_padding_mask=~mask)
    assert_same([part[mask] for part in ours], [part[mask] for part in expected], [x], [x])
