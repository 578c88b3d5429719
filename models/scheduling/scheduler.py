"""An encoder over the days of a market, and an attentive decoder over the days of an order."""

import torch
from torch import Tensor, nn

from models.attention.family import ATTENTIONS
from models.dropout import Dropout
from models.loss import Loss
from models.names import AttentionName, CellName
from models.recurrent.layer import Recurrent
from models.recurrent.ragged import length_mask

UNIT = 0.1  # of risk aversion: the scale at which its feature changes from linear to logarithmic
POSITIONS = 4  # features of a day's position in its horizon


class Scheduler(nn.Module):
    """Maps an order and the last days of a market to shares of the order and of the volume, for each day of its horizon.

        h_1 .. h_L = RNN(x_1 .. x_L)                      over the market's days; volumes are the residuals of U
        s_0        = tanh(W h_L)
        s_1 .. s_T = RNN(y_1 .. y_T)                      over the order's days; y_j is the order, its position and its calendar
        c_j        = attention(s_j, h)                    (as Luong et al. 2015, arXiv 1508.04025: the query is s_j)
        a, b       = softmax over j = 1 .. T of V [s_j; c_j; y_j], with U of the calendar added in b

    a is the share of the order on each day, b that of the horizon's volume. Side and size of an order are not inputs: if impact
    is linear, the best schedule does not depend on them.

    Args:
        cell: of encoder and decoder, see Recurrent.
        steps: F, features of a day without the calendar's; the last one is the logarithm of its volume.
        calendar: C, features of a day that are known in advance.
        longest: A, days of the longest horizon.
        hidden_size: H of the encoder and of the decoder.
        layers: of each of them.
        attention: see models.attention.
        attention_size: its hidden size.
        dropout: share of [s_j; c_j] set to zero in training.
        volume_weight: weight of the loss of the volume's shares, relative to that of the order's.

    Buffers are set from training days and saved with the weights: mean and standard deviation of a day's features.
    """

    step_mean: Tensor
    step_deviation: Tensor

    def __init__(
        self,
        *,
        cell: CellName,
        steps: int,
        calendar: int,
        longest: int,
        hidden_size: int,
        layers: int,
        attention: AttentionName,
        attention_size: int,
        dropout: float,
        volume_weight: float,
    ) -> None:
        super().__init__()
        self.steps, self.longest, self.volume_weight = steps, longest, volume_weight
        self.encoder = Recurrent(cell, steps, hidden_size, layers=layers)
        read = 1 + POSITIONS + calendar
        self.decoder = Recurrent(cell, read, hidden_size, layers=layers)
        self.bridge = nn.Linear(self.encoder.state_size, self.decoder.state_size)  # W
        self.attention = ATTENTIONS[attention](hidden_size, hidden_size, attention_size, 1)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(hidden_size + self.attention.context_size + read, 2)  # V
        self.effects = nn.Linear(calendar, 1, bias=False)  # U
        nn.init.zeros_(self.effects.weight)
        with torch.no_grad():
            self.output.weight[1] = 0.0  # the volume's shares are initially the calendar's effects
        self.register_buffer("step_mean", torch.zeros(steps))
        self.register_buffer("step_deviation", torch.ones(steps))

    def logits(self, days: Tensor, lengths: Tensor, ahead: Tensor, horizon: Tensor, aversion: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithms of both shares, -inf after the horizon: [B, A] each. See `predict` for the arguments."""
        numbers, calendar = days[..., : self.steps], days[..., self.steps :]
        unusual = torch.cat((numbers[..., :-1], numbers[..., -1:] - self.effects(calendar)), -1)
        memory, final = self.encoder((unusual - self.step_mean) / self.step_deviation, lengths)
        read = torch.cat((self._order(horizon, aversion), ahead), -1)  # y, [B, A, 1 + POSITIONS + C]
        states, _ = self.decoder(read, horizon, torch.tanh(self.bridge(final)))
        mask = length_mask(lengths, days.shape[1])
        context, _ = self.attention(states, *self.attention.prepare(memory), mask)
        scores = self.output(torch.cat((self.dropout(torch.cat((states, context), -1)), read), -1))  # [B, A, 2]
        behind = ~length_mask(horizon, self.longest)
        order, volume = scores[..., 0], scores[..., 1] + self.effects(ahead)[..., 0]
        return order.masked_fill(behind, -torch.inf).log_softmax(-1), volume.masked_fill(behind, -torch.inf).log_softmax(-1)

    def predict(self, days: Tensor, lengths: Tensor, ahead: Tensor, horizon: Tensor, aversion: Tensor) -> tuple[Tensor, Tensor]:
        """Schedule a batch of orders.

        Args:
            days: x, [B, L, F + C].
            lengths: of `days`, [B].
            ahead: the calendar of the coming days, [B, A, C].
            horizon: T, 1 to A, [B].
            aversion: lambda, at least 0, [B].

        Returns:
            Shares of the order and of the volume, [B, A] each. They sum to one and are zero after the horizon.
        """
        order, volume = self.logits(days, lengths, ahead, horizon, aversion)
        return order.exp(), volume.exp()

    def forward(
        self,
        days: Tensor,
        days_lengths: Tensor,
        ahead: Tensor,
        horizon: Tensor,
        aversion: Tensor,
        schedule: Tensor,
        volumes: Tensor,
    ) -> Loss:
        """Kullback-Leibler divergence of both shares from their targets, summed over rows.

        Args:
            days: see `predict`.
            days_lengths: see `predict`.
            ahead: see `predict`.
            horizon: see `predict`.
            aversion: see `predict`.
            schedule: the order's optimal shares, [B, A].
            volumes: the observed shares of volume, [B, A].
        """
        order, volume = self.logits(days, days_lengths, ahead, horizon, aversion)
        return Loss(_divergence(schedule, order) + self.volume_weight * _divergence(volumes, volume), len(days))

    def _order(self, horizon: Tensor, aversion: Tensor) -> Tensor:
        """The order, and the position of each day in its horizon, [B, A, 1 + POSITIONS]."""
        total = horizon[:, None].to(aversion.dtype)  # T
        left = total - torch.arange(self.longest, device=horizon.device) - 0.5  # T - j + 1/2
        sizes = (left / self.longest, (total - left) / self.longest, left / total, total / self.longest)
        urge = torch.log1p(aversion / UNIT)[:, None].expand_as(left)
        return torch.stack((urge, *(size.expand_as(left) for size in sizes)), -1)

    @torch.no_grad()
    def normalize_by(self, numbers: Tensor) -> None:
        """Compute means and standard deviations of a day's features from training days, [N, F]."""
        self.step_mean.copy_(numbers.mean(0))
        self.step_deviation.copy_(numbers.std(0))

    @torch.no_grad()
    def begin_with(self, effects: Tensor) -> None:
        """Initialize the calendar's effects on volumes, [C]."""
        self.effects.weight.copy_(effects[None])


def _divergence(shares: Tensor, logarithms: Tensor) -> Tensor:
    """Sum of p (ln p - ln q) over rows and days, [B, A]; terms with p = 0 are 0."""
    known = shares > 0
    return (shares * (torch.log(shares.where(known, 1.0)) - logarithms.where(known, 0.0))).sum()
