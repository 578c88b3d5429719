"""A softmax over words whose output vectors are the words' own."""

import torch
from torch import Tensor, nn

from models.loss import Loss, token_loss


class TiedSoftmax(nn.Module):
    """Press and Wolf 2017 (arXiv 1608.05859, section 3): one table of words serves the input and the output.

        p(w | x) = softmax(E P x + b)_w

    With few words of training data the table learns each word from all its occurrences, as a context and as a prediction.

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
        """Cross-entropy of words given what the layer reads, in nats.

        Args:
            x: [N, size].
            words: ids, [N].
        """
        return token_loss(self.projection(x), self.embedding.weight, self.bias, words)

    def log_probability(self, x: Tensor, words: Tensor) -> Tensor:
        """Log p(w | x) of each word, [N]; shapes as in `forward`."""
        logits = nn.functional.linear(self.projection(x), self.embedding.weight, self.bias)
        return logits.log_softmax(1).gather(1, words[:, None])[:, 0]
