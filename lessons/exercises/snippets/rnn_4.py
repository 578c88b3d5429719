"""The last state of a short text, alone and in a batch that pads it."""

import torch
from torch import Tensor, nn

from models.recurrent.layer import Recurrent

torch.manual_seed(0)
text, ours, torchs = torch.randn(1, 5, 8), Recurrent("rnn", 8, 16), nn.RNN(8, 16, batch_first=True)
padded = torch.cat((text, torch.zeros(1, 35, 8)), 1)


def last_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """The state after the last unit by the project's layer, and what torch's has at the end of its outputs."""
    return ours(x, torch.tensor([5]))[1][0], torchs(x)[0][:, -1]


with torch.no_grad():
    differences = [float((one - other).abs().max()) for one, other in zip(last_of(text), last_of(padded), strict=True)]
print(f"changed by padding: with lengths by {differences[0]:.4f}, without by {differences[1]:.4f}")
