"""What a training may begin with: enough new rows, or the rows of one that failed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.paths import CATALOGUE
from pipelines.promotion.journal import note
from pipelines.retraining import retrain
from pipelines.settings.params import load_params
from pipelines.stage import StageError
from serving.records import NAME, Feedback, Recorded, Records

ROOT = Path(__file__).parents[3]
Correct = Callable[[int], None]


@pytest.fixture
def correct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Correct:
    """Corrects so many further answers of a server in `server`; a training needs three."""
    for name in ("params.yaml", str(CATALOGUE)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    params: dict[str, Any] = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    params["retraining"] |= {"rows": 3, "pause_hours": 0.0}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "server").mkdir()
    records, places = Records(tmp_path / "server" / NAME), iter(range(1000))

    def act(count: int) -> None:
        for _, i in zip(range(count), places, strict=False):
            identity = f"{i:032x}"
            records.write([Recorded(identity, 0, "surname", "1-a", 1.0, 0.001, "French", f"Name{i}")])
            assert records.judge(Feedback(identity, 0, "surname", "1-a", 2.0, "Estonian", False))

    return act


def begin() -> int:
    """The number of new rows that a training begins with."""
    changes, rows = retrain.new_data("surname", load_params(), Path("server"))
    assert changes["tasks.surname.data.set"] == "surname-and-feedback"
    note(retrain.EVENT, "surname")
    return rows


def refused() -> None:
    with pytest.raises(StageError, match="nothing new to learn"):
        retrain.new_data("surname", load_params(), Path("server"))


def test_a_training_needs_so_many_new_rows_each_time(correct: Correct) -> None:
    correct(2)
    refused()
    correct(1)
    assert begin() == 3
    note("gate", "surname")
    correct(2)
    refused()
    correct(2)
    assert begin() == 4


def test_the_rows_of_a_training_that_failed_are_still_new(correct: Correct) -> None:
    correct(3)
    assert begin() == 3
    assert begin() == 0  # nothing came to the gate
    note("gate", "surname")
    refused()


def test_an_unknown_task_is_named_before_anything_else() -> None:
    with pytest.raises(StageError, match="there is no task 'surnam'; did you mean 'surname'"):
        retrain.retrain("surnam", Path("server"), "sqlite:///none.db", "a test")
