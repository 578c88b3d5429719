"""The attentions' names, apart from their equations: what only names one, such as settings, need not import torch."""

from typing import Literal

AttentionName = Literal["bahdanau", "dot", "general", "concat", "scaled_dot", "multihead"]
