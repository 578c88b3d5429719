"""A forecaster: an ensemble of networks with different initial weights."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.forecasting.member import Member
from models.loss import Loss
from models.names import CellName, DaysName, ForecastLossName

RATIOS = 99  # stored quantiles of a forecast's errors: 1 % to 99 %


class Forecaster(nn.Module):
    """The mean forecast of several members (Lakshminarayanan et al. 2017, arXiv 1612.01474), for H horizons.

    A member's outputs z depend on the loss:
        qlike: ln f, f being the mean of a positive quantity; y / f - ln(y / f) - 1 (Patton 2011, J. Econometrics 160, eq. 24);
        quantile: quantiles at Q levels of ln y, or of y in standard deviations; (q - 1[y < z]) (y - z), by Koenker and Bassett
            1978, Econometrica 46;
        event: the logit of an event's probability; its cross-entropy.

    Args:
        loss: qlike, quantile or event.
        members: M.
        positive: whether the quantity is above zero.
        horizons: H.
        levels: of the quantiles, ascending; ignored by other losses.
        linear: whether to use the linear part.
        steps: see Member.
        averages: K, see Member's linear_size.
        cell: see Member.
        hidden_size: see Member.
        layers: see Member.
        attention: see Member.
        attention_size: see Member.
        dropout: see Member.

    Buffers are set from training days and saved with the weights: mean and standard deviation of the inputs and, if it is not
    positive, of the forecast quantity. `ratios` [H, RATIOS] are set after training: quantiles of y / f if the loss is qlike.
    """

    step_mean: Tensor
    step_deviation: Tensor
    linear_mean: Tensor
    linear_deviation: Tensor
    target_mean: Tensor
    target_deviation: Tensor
    ratios: Tensor
    levels: Tensor

    def __init__(
        self,
        *,
        loss: ForecastLossName,
        members: int,
        positive: bool,
        horizons: int,
        levels: Sequence[float],
        linear: bool,
        steps: int,
        averages: int,
        cell: CellName,
        hidden_size: int,
        layers: int,
        attention: DaysName,
        attention_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.loss, self.positive, self.horizons, self.has_linear = loss, positive, horizons, linear
        self.each = len(levels) if loss == "quantile" else 1  # Q
        self.members = nn.ModuleList(
            Member(
                cell=cell,
                steps=steps,
                linear_size=averages,
                hidden_size=hidden_size,
                layers=layers,
                attention=attention,
                attention_size=attention_size,
                dropout=dropout,
                outputs=horizons * self.each,
            )
            for _ in range(members)
        )
        sizes = {"step": steps, "linear": averages, "target": horizons}
        for name, size in sizes.items():
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_deviation", torch.ones(size))
        self.register_buffer("ratios", torch.ones(horizons, RATIOS))
        self.register_buffer("levels", torch.tensor(list(levels)))

    def outputs(self, days: Tensor, lengths: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """Each member's outputs: z [M, B, H, Q], ascending in Q, and the weights of the days [M, B, L]."""
        days = (days - self.step_mean) / self.step_deviation
        means = (means - self.linear_mean) / self.linear_deviation
        if not self.has_linear:
            means = means * 0  # keeps it an input of the graph
        found = [member(days, lengths, means) for member in self.members]
        z = torch.stack([z.view(-1, self.horizons, self.each) for z, _ in found])
        if self.each > 1:  # the lowest quantile plus nonnegative gaps: quantiles do not cross
            z = torch.cat((z[..., :1], z[..., :1] + functional.softplus(z[..., 1:]).cumsum(-1)), -1)
        return z, torch.stack([weights for _, weights in found])

    def predict(self, days: Tensor, lengths: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """The members' mean forecast.

        Args:
            days: [B, L, F].
            lengths: [B].
            means: [B, K].

        Returns:
            [B, H, Q]: means (Q = 1), quantiles or probabilities (Q = 1), depending on the loss. Means and quantiles of a positive
            quantity are logarithms, those of any other are in standard deviations from its mean. And the mean weights of the
            days, [B, L].
        """
        z, weights = self.outputs(days, lengths, means)
        if self.loss == "event":
            return torch.sigmoid(z).mean(0), weights.mean(0)
        if self.positive:
            return torch.logsumexp(z, 0) - math.log(len(self.members)), weights.mean(0)
        return z.mean(0), weights.mean(0)

    def forward(self, days: Tensor, days_lengths: Tensor, linear: Tensor, target: Tensor) -> Loss:
        """The members' mean loss, summed over rows and horizons. Shapes: [B, L, F], [B], [B, K], [B, H]."""
        z, _ = self.outputs(days, days_lengths, linear)
        return Loss(self._losses(z, target).mean(0).sum(), target.numel())

    def _losses(self, z: Tensor, target: Tensor) -> Tensor:
        """Loss of each member, row and horizon, [M, B, H]."""
        if self.loss == "event":
            return functional.binary_cross_entropy_with_logits(z[..., 0], target.expand(z.shape[:-1]), reduction="none")
        y = torch.log(target) if self.positive else (target - self.target_mean) / self.target_deviation
        above = y[..., None] - z  # [M, B, H, Q]
        if self.loss == "qlike":
            return (torch.exp(above) - above - 1)[..., 0]
        return torch.maximum(self.levels * above, (self.levels - 1) * above).mean(-1)

    @torch.no_grad()
    def normalize_by(self, steps: Tensor, linear: Tensor, target: Tensor) -> None:
        """Compute means and standard deviations from training days, [N, F], [N, K], [N, H]; deviations of 0 become 1."""
        for name, values in (("step", steps), ("linear", linear), ("target", target)):
            deviation = values.std(0)
            getattr(self, f"{name}_mean").copy_(values.mean(0))
            getattr(self, f"{name}_deviation").copy_(torch.where(deviation > 0, deviation, 1.0))

    @torch.no_grad()
    def begin_with(self, weights: Tensor, biases: Tensor) -> None:
        """Initialize the linear parts.

        Args:
            weights: of the normalized means, [H, K].
            biases: of each horizon and level, [H, Q].
        """
        if self.each > 1:  # inverse of the cumulative sum in `outputs`
            gaps = biases.diff(dim=1).clamp(min=1e-3)
            biases = torch.cat((biases[:, :1], gaps + torch.log(-torch.expm1(-gaps))), 1)
        for member in self.members:
            linear = cast(Member, member).linear
            place = linear.weight.view(self.horizons, self.each, -1)
            place.zero_()
            place[:, 0] = weights if self.has_linear else 0.0
            linear.bias.copy_(biases.flatten())
