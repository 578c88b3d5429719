"""Names of a translator's parts, apart from the parts: settings, which only name them, need not import torch."""

from typing import Literal

from models.attention.names import AttentionName

ContextName = AttentionName | Literal["fixed"]
BridgeName = Literal["zeros", "copy", "linear"]
ScheduleName = Literal["constant", "linear", "exponential", "inverse_sigmoid"]
