"""A forecaster's scores are of its own inputs: with any others, they would say nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from forecasters import LOSSES, task_of

from models.names import ForecastLossName
from models.series.recipe import RECIPE
from pipelines.kinds.forecasting.evaluation import score
from pipelines.stage import StageError


@pytest.mark.parametrize("loss", LOSSES)
def test_each_test_row_has_a_score(forecasters: dict[str, Path], loss: ForecastLossName) -> None:
    bundle = forecasters[loss]
    prepared = bundle.parent / "prepared" / loss
    found = score(bundle, prepared, task_of(loss))
    assert len(found.values) == len(np.load(prepared / "test.npy")) == len(found.slices["series"])
    assert np.isfinite(found.values).all()
    assert (found.calibration is not None) == (loss == "event")


def test_rows_that_were_prepared_with_other_settings_are_refused(forecasters: dict[str, Path], tmp_path: Path) -> None:
    bundle = forecasters["qlike"]
    prepared = shutil.copytree(bundle.parent / "prepared" / "qlike", tmp_path / "qlike")
    recipe = json.loads((prepared / RECIPE).read_text(encoding="utf-8"))
    recipe["averages"] = [average + 1 for average in recipe["averages"]]
    (prepared / RECIPE).write_text(json.dumps(recipe), encoding="utf-8")
    with pytest.raises(StageError, match=r"other settings \(averages"):
        score(bundle, prepared, task_of("qlike"))
