"""Settings of the way from a trained model to the one that is served."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.settings.section import Positive, Section

Tolerance = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=1)]


class Gate(Section):
    """The conditions on which a challenger replaces the champion, see `pipelines.promotion.gate`."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    worse: Tolerance
    slice_worse: Tolerance
    slice_rows: Positive
    calibration: Tolerance
    latency: Ratio
    size: Ratio


class Retraining(Section):
    """Limits of `seqline retrain` and `seqline watch`, so that drift cannot train for ever."""

    pause_hours: Annotated[float, Field(ge=0)]
    per_week: Positive
    rows: Positive
    share: Annotated[float, Field(gt=0, le=1)]
    promotion: Literal["person", "auto"]
