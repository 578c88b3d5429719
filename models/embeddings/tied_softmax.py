"""A softmax over words that shares the input embedding."""

import torch
from torch import Tensor, nn

from models.loss import Loss, token_loss


class TiedSoftmax(nn.Module):
    """Press and Wolf 2017 (arXiv 1608.05859, section 3): the input and the output share one embedding table.

        p(w | x) = softmax(E P x + b)_w

    With little training data this helps: a word's vector is trained by all its occurrences, as context and as prediction.

    Args:
        size: of x.
        embedding: the table E, [V, m].
    """

    def __init__(self, size: int, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.projection = nn.Linear(size, embedding.embedding_dim, bias=False)  # P
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    @torch.no_grad()
    def begin_at(self, counts: Tensor) -> None:
        """See `AdaptiveSoftmax.begin_at`."""
        self.bias.copy_(counts.clamp(min=1).to(self.bias.dtype).log().log_softmax(0))

    def forward(self, x: Tensor, words: Tensor) -> Loss:
        """Cross-entropy of the words given x, in nats.

        Args:
            x: [N, size].
            words: ids, [N].
        """
        return token_loss(self.projection(x), self.embedding.weight, self.bias, words)

    def log_probability(self, x: Tensor, words: Tensor) -> Tensor:
        """Log p(w | x) of each word, [N]; shapes as in `forward`."""
        logits = nn.functional.linear(self.projection(x), self.embedding.weight, self.bias)
        return logits.log_softmax(1).gather(1, words[:, None])[:, 0]
