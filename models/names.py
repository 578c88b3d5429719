"""Names of model components, in a module of their own, so that settings can use them without importing torch."""

from typing import Literal

CellName = Literal["rnn", "rnn_relu", "lstm", "peephole", "gru"]
AttentionName = Literal["bahdanau", "dot", "general", "concat", "scaled_dot", "multihead"]
ContextName = Literal[AttentionName, "fixed"]
BridgeName = Literal["zeros", "copy", "linear"]
ScheduleName = Literal["constant", "linear", "exponential", "inverse_sigmoid"]
QuantityName = Literal["range_variance", "squared_return", "value", "positive_value"]
AggregateName = Literal["mean", "last"]
DaysName = Literal["last", "uniform", AttentionName]
ForecastLossName = Literal["qlike", "quantile", "event"]
SideName = Literal["buy", "sell"]
