"""The cells' names, apart from their equations: what only names a cell, such as settings, need not import torch."""

from typing import Literal

CellName = Literal["rnn", "rnn_relu", "lstm", "peephole", "gru"]
