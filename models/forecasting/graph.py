"""A forecaster as exported to ONNX."""

from torch import Tensor, nn

from models.forecasting.forecaster import Forecaster


class ForecasterGraph(nn.Module):
    """(days [B, L, F], lengths [B], linear [B, K]) -> forecasts [B, H, Q], attention [B, L]; see Forecaster.predict."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model

    def forward(self, days: Tensor, lengths: Tensor, linear: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.model.predict(days, lengths, linear)
