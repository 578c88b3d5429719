"""A scheduler as exported to ONNX."""

from torch import Tensor, nn

from models.scheduling.scheduler import Scheduler


class SchedulerGraph(nn.Module):
    """days [B, L, F + C], lengths [B], ahead [B, A, C], horizon [B], aversion [B] -> shares [B, A] of order and of volume.

    See Scheduler.predict.
    """

    def __init__(self, model: Scheduler) -> None:
        super().__init__()
        self.model = model

    def forward(self, days: Tensor, lengths: Tensor, ahead: Tensor, horizon: Tensor, aversion: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.model.predict(days, lengths, ahead, horizon, aversion)
