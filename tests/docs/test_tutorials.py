"""The code that tutorials ask readers to type computes what they say it does."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.recurrent import cells

TUTORIALS = Path("docs/tutorials")
B, H, Q, M = 5, 4, 6, 3


def typed(page: str, path: str) -> str:
    """The code that a tutorial adds to a file."""
    found = re.search(
        rf'```python title="{re.escape(path)}"\n(.*?)```', (TUTORIALS / page).read_text(encoding="utf-8"), re.DOTALL
    )
    assert found, f"{page} adds nothing to {path}"
    return found[1]


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


@pytest.fixture
def coupled() -> Any:
    names: dict[str, Any] = dict(vars(cells))
    exec(typed("new-cell.md", "models/recurrent/cells.py"), names)  # noqa: S102 - from this repository
    return names["coupled"]


def test_the_new_cell_passes_the_test_that_the_tutorial_adds(coupled: Any) -> None:
    names: dict[str, Any] = {"coupled": coupled, "lstm": cells.lstm, "random": random, "torch": torch, "B": B, "H": H}
    exec(typed("new-cell.md", "tests/models/recurrent/test_cells.py"), names)  # noqa: S102 - from this repository
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    test()


def test_a_coupled_gate_keeps_what_it_does_not_let_in(coupled: Any) -> None:
    shut = torch.full((B, 4 * H), -50.0, dtype=torch.float64)
    state = random(B, 2 * H)
    _, c = coupled(shut, torch.zeros_like(shut), state).chunk(2, -1)
    torch.testing.assert_close(c, state[:, H:], atol=1e-12, rtol=0)


def test_the_new_attention_is_the_equation_that_the_tutorial_gives() -> None:
    names: dict[str, Any] = {"np": np, "Weights": dict, "Array": np.ndarray, "Score": float}
    exec(typed("new-attention.md", "models/attention/cosine.py"), names)  # noqa: S102 - from this repository
    exec(typed("new-attention.md", "tests/models/attention/test_attention_equations.py"), names)  # noqa: S102 - the same
    attention = names["CosineAttention"](Q, M).double()
    query, memory, mask = random(2, 1, Q), random(2, 4, M), torch.tensor([[True] * 4, [True, True, False, False]])
    context, weights = (answer.detach().numpy() for answer in attention(query, *attention.prepare(memory), mask))
    w = {name.removesuffix(".weight"): weight.detach().numpy() for name, weight in attention.named_parameters()}
    for row, length in enumerate((4, 2)):
        shares = np.exp([names["cosine"](w, query[row, 0].numpy(), h.numpy()) for h in memory[row, :length]])
        expected = np.pad(shares / shares.sum(), (0, 4 - length))
        np.testing.assert_allclose(weights[row, 0], expected, atol=1e-12)
        np.testing.assert_allclose(context[row, 0], expected @ memory[row].numpy(), atol=1e-12)
