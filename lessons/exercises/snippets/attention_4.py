"""Count the weights of multi-head attention with one head and with eight."""

from models.attention.multi_head import MultiHeadAttention


def weights(heads: int) -> int:
    """Of attention over a memory of vectors of size 64, by queries of that size."""
    return sum(weight.numel() for weight in MultiHeadAttention(64, 64, 64, heads).parameters())


print(f"eight heads have {weights(8) / weights(1):.3f} times as many weights as one")
