"""Compare the numbers of weights of an LSTM and a GRU of the same sizes."""

from models.names import CellName
from models.recurrent.layer import Recurrent


def weights(cell: CellName) -> int:
    """Of a layer that reads vectors of size 10 into states of size 20."""
    return sum(weight.numel() for weight in Recurrent(cell, 10, 20).parameters())


print(f"the LSTM has {weights('lstm') - weights('gru')} more")
