"""Clipping by norm keeps the direction, clipping by value each component's sign; gradients within bounds do not change."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.clipping import clip_gradient

gradients = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=6)
bounds = st.floats(0.125, 100, width=32)


def parameters(gradient: list[float]) -> list[nn.Parameter]:
    """Two parameters, over which the gradient's components are split."""
    made = []
    for part in (gradient[:1], gradient[1:]):
        parameter = nn.Parameter(torch.zeros(len(part)))
        parameter.grad = torch.tensor(part)
        made.append(parameter)
    return made


def gradient_of(clipped: list[nn.Parameter]) -> Tensor:
    return torch.cat([parameter.grad for parameter in clipped if parameter.grad is not None])


@given(gradients, bounds)
def test_by_norm_keeps_the_direction(gradient: list[float], bound: float) -> None:
    given_, clipped = torch.tensor(gradient), parameters(gradient)
    before = float(clip_gradient(clipped, norm=bound))
    assert before == pytest.approx(float(given_.norm()), rel=1e-4)
    expected = given_ * min(1.0, bound / max(before, 1e-30))
    torch.testing.assert_close(gradient_of(clipped), expected, atol=1e-4, rtol=1e-4)


@given(gradients, bounds)
def test_by_value_cuts_each_component(gradient: list[float], bound: float) -> None:
    clipped = parameters(gradient)
    before = clip_gradient(clipped, value=bound)
    assert before == pytest.approx(math.hypot(*gradient), rel=1e-4)
    assert gradient_of(clipped).tolist() == pytest.approx([max(-bound, min(bound, g)) for g in gradient])


@given(gradients)
def test_without_bounds_nothing_changes(gradient: list[float]) -> None:
    clipped = parameters(gradient)
    clip_gradient(clipped)
    assert torch.equal(gradient_of(clipped), torch.tensor(gradient))
