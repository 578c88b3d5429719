"""The attentions over a memory, by name."""

from collections.abc import Callable, Mapping

from models.attention.additive import BahdanauAttention, ConcatAttention
from models.attention.interface import Attention
from models.attention.multi_head import MultiHeadAttention
from models.attention.multiplicative import DotAttention, GeneralAttention, ScaledDotAttention
from models.names import AttentionName

# Each factory takes (query_size, memory_size, attention_size, heads) and ignores those that its equation does not have.
ATTENTIONS: Mapping[AttentionName, Callable[[int, int, int, int], Attention]] = {
    "bahdanau": lambda query, memory, size, _heads: BahdanauAttention(query, memory, size),
    "dot": lambda query, memory, _size, _heads: DotAttention(query, memory),
    "general": lambda query, memory, _size, _heads: GeneralAttention(query, memory),
    "concat": lambda query, memory, size, _heads: ConcatAttention(query, memory, size),
    "scaled_dot": lambda query, memory, _size, _heads: ScaledDotAttention(query, memory),
    "multihead": MultiHeadAttention,
}
