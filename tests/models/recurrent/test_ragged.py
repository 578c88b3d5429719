"""Reversing a ragged batch, and reading the last units of its rows."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from models.recurrent.ragged import last, length_mask, turn


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_rows_are_reversed_within_their_lengths(lengths: list[int]) -> None:
    units, longest = torch.tensor(lengths), max(lengths) + 1
    x = torch.arange(len(lengths) * longest * 2).view(len(lengths), longest, 2)
    turned = turn(x, units)
    for row, length in enumerate(lengths):
        assert torch.equal(turned[row, :length], x[row, :length].flip(0))
        assert torch.equal(turned[row, length:], x[row, length:])
        assert torch.equal(last(x, units)[row], x[row, length - 1])
        assert length_mask(units, longest)[row].tolist() == [True] * length + [False] * (longest - length)
    assert torch.equal(turn(turned, units), x)
