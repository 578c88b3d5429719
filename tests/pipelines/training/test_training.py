"""The training loop: its batches, that it learns, and that a kill does not change the result."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shipped
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from models.dropout import LockedDropout
from models.loss import Loss
from models.text.special import PAD
from pipelines.data.prepared import read_vectors
from pipelines.kinds.parts import build
from pipelines.settings.params import Params
from pipelines.settings.section import Train
from pipelines.stage import StageError
from pipelines.stages.train import train
from pipelines.store import Alternating, Split, write_split
from pipelines.tracking.runs import StageRun
from pipelines.training.batches import LengthBuckets, PaddedRows, loader
from pipelines.training.begin import begin
from pipelines.training.fit import Job, average, fit
from pipelines.training.hardware import pick_accelerator, pick_precision
from pipelines.training.work import Row
from pipelines.windows import Windows, write_windows

EPOCHS = 40  # many, so that a training can be killed before the last one
TRAIN = """
from pipelines.settings.params import load_params
from pipelines.tracking.runs import StageRun
from pipelines.kinds.translation.settings import TranslationTask
from pipelines.stages.train import train
train("names", load_params(), StageRun(None, ""))
"""


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(1, 30), st.integers(0, 5))
def test_every_epoch_sees_every_row_once_within_the_budget(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], units: int, epoch: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    write_split(folder, {"text": [[4] * n for n in lengths], "label": list(range(len(lengths)))})
    buckets = LengthBuckets(Split(folder), units, seed=1, shuffle=True)
    buckets.set_epoch(epoch)
    batches = list(buckets)
    assert len(batches) == len(buckets)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= units for batch in batches)


def test_batches_depend_on_the_epoch_alone(prepared: dict[str, Path]) -> None:
    def order(epoch: int) -> list[list[int]]:
        buckets = LengthBuckets(Split(prepared["fr-en"] / "train"), 60, seed=1, shuffle=True)
        buckets.set_epoch(epoch)
        return list(buckets)

    assert order(3) == order(3)
    assert order(3) != order(4)


def test_rows_are_padded_and_otherwise_unchanged(prepared: dict[str, Path]) -> None:
    split = Split(prepared["names"] / "train")
    batch = PaddedRows(split)[[0, 1, 2]]
    for i in range(3):
        row, length = split.row(i), int(batch["characters_lengths"][i])
        np.testing.assert_array_equal(batch["characters"][i, :length], row["characters"])
        assert (batch["characters"][i, length:] == PAD).all()
        assert batch["label"][i] == row["label"]


@pytest.mark.parametrize("task", ["surname", "names", "fr-en", "sentiment"])
def test_a_model_overfits_one_batch(task: str, small_params: Params, prepared: dict[str, Path]) -> None:
    torch.manual_seed(0)
    model = build(small_params.task(task), prepared[task]).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, LockedDropout):
            module.share = 0.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
    batch = PaddedRows(Split(prepared[task] / "train"))[list(range(4))]
    for _ in range(150):
        optimizer.zero_grad()
        loss = model(**batch)
        (loss.total / loss.units).backward()
        optimizer.step()
    with torch.no_grad():
        total, units = model.eval()(**batch)
    assert float(total) / units < 0.15


def test_validation_sums_do_not_depend_on_the_batches(small_params: Params, prepared: dict[str, Path]) -> None:
    model = build(shipped.fr_en(small_params), prepared["fr-en"]).eval()
    split = Split(prepared["fr-en"] / "valid")
    sums = [sum(float(model(**b).total) for b in loader(split, units, 1, shuffle=False)) for units in (1, 40, 10_000)]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-5)


def start(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", TRAIN], cwd=folder, stdout=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> list[str]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return [line for line in output.splitlines() if "epoch" in line]


@pytest.fixture
def job(tmp_path: Path, small_params: Params, prepared: dict[str, Path]) -> list[Path]:
    """Two folders with the same training job."""
    content = small_params.model_dump(by_alias=True)
    content["tasks"]["names"]["train"] |= {"epochs": EPOCHS, "patience": EPOCHS, "batch_units": 40}
    folders = [tmp_path / "undisturbed", tmp_path / "killed"]
    for folder in folders:
        (folder / "data/prepared").mkdir(parents=True)
        (folder / "data/prepared/names").symlink_to(prepared["names"])
        (folder / "params.yaml").write_text(yaml.safe_dump(content))
    return folders


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Wait until the process prints a text; fail if it ends without."""
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"it never printed {text!r}"


@pytest.mark.slow
def test_a_killed_training_resumes_with_the_same_weights(job: list[Path]) -> None:
    undisturbed, killed = job
    rows = finish(start(undisturbed))
    assert len(rows) == EPOCHS

    victim = start(killed)
    wait_for(victim, "epoch 3")
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert not (killed / "build").exists()
    checkpoints = list((killed / ".checkpoints/names").glob("*/last.ckpt"))
    assert len(checkpoints) == 1

    again = finish(start(killed))
    assert again == rows  # the epochs before the kill are reported from the checkpoint
    weights = [(folder / "build/weights/names/model.safetensors").read_bytes() for folder in job]
    assert weights[0] == weights[1]
    assert not (killed / ".checkpoints/names").exists()


@pytest.mark.slow
def test_a_different_job_does_not_resume_from_these_checkpoints(job: list[Path]) -> None:
    folder = job[0]
    victim = start(folder)
    wait_for(victim, "epoch 2")
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["tasks"]["names"]["train"]["learning_rate"] /= 2
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    halved = finish(start(folder))[0]
    assert float(halved.split("learning_rate ")[1].split()[0]) <= params["tasks"]["names"]["train"]["learning_rate"]


@pytest.fixture
def place(prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with all prepared data in the stages' input folder."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/prepared").symlink_to(prepared["names"].parent)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("place")
def test_training_starts_from_the_pretrained_vectors(small_params: Params, prepared: dict[str, Path]) -> None:
    content = small_params.model_dump(by_alias=True)
    content["tasks"]["sentiment"]["model"]["embeddings"] = "frozen"
    content["tasks"]["sentiment"]["train"]["epochs"] = 1
    train("sentiment", Params.model_validate(content), StageRun(None, ""))
    weights = load_file("build/weights/sentiment/model.safetensors")
    np.testing.assert_array_equal(weights["embedding.weight"], read_vectors(prepared["sentiment"]))
    content["tasks"]["sentiment"]["model"]["embedding_size"] = 9
    with pytest.raises(StageError, match="embedding_size 9"):
        train("sentiment", Params.model_validate(content), StageRun(None, ""))


class Scripted(torch.nn.Module):
    """A model with given validation losses, one per epoch; the training loss has its minimum at 0."""

    def __init__(self, valid_losses: Sequence[float] = ()) -> None:
        super().__init__()
        self.x, self.valid_losses = torch.nn.Parameter(torch.ones(())), list(valid_losses)

    def forward(self, text: torch.Tensor, text_lengths: torch.Tensor) -> Loss:
        assert len(text) == len(text_lengths)
        if not self.training and self.valid_losses:
            return Loss(torch.tensor(self.valid_losses.pop(0)) * len(text), len(text))
        return Loss(self.x.square() * len(text), len(text))


def job_of(folder: Path, rows: int, **changed: float) -> Job:
    """A job on rows of one unit, each in its own batch."""
    values = {"batch_units": 1, "learning_rate": 0.01, "weight_decay": 0.0, "warmup_share": 0.25, "clip_norm": 1.0}
    write_split(folder / "rows", {"text": [[4]] * rows})
    write_split(folder / "row", {"text": [[4]]})
    settings = {**values, "clip_value": 1.0, "epochs": 1, "patience": 1, "average": 1, **changed}
    train = Train.model_validate(settings)
    return Job(Split(folder / "rows"), Split(folder / "row"), train, 0, "cpu", "fp32", folder / "checkpoints")


def fit_scripted(folder: Path, model: Scripted, rows: int, **changed: float) -> tuple[dict[str, torch.Tensor], list[Row]]:
    return fit(model, job_of(folder, rows, **changed), lambda _: None)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 10])
@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.5])
def test_even_very_few_steps_train(tmp_path: Path, steps: int, warmup: float) -> None:
    _, history = fit_scripted(tmp_path, Scripted(), steps, warmup_share=warmup)
    assert 0 < history[0]["valid_loss"] < 1


def test_training_stops_when_patience_ends_and_keeps_the_best_weights(tmp_path: Path) -> None:
    model = Scripted([3.0, 1.0, 2.0, 1.5, 0.5])
    weights, history = fit_scripted(tmp_path, model, 3, epochs=5, patience=2)
    assert [row["valid_loss"] for row in history] == [3.0, 1.0, 2.0, 1.5]
    shorter, _ = fit_scripted(tmp_path / "shorter", Scripted([3.0, 1.0, 2.0]), 3, epochs=5, patience=1)
    assert 0 < weights["x"] == shorter["x"] < 1
    assert weights["x"] != model.x


def test_the_weights_of_the_best_epochs_are_averaged(tmp_path: Path) -> None:
    losses, seen = [3.0, 1.0, 2.0, 0.5], list[float]()
    model = Scripted(losses)
    job = job_of(tmp_path, 3, epochs=4, patience=4, average=2)
    weights, _ = fit(model, job, lambda _: seen.append(float(model.x)))
    assert weights["x"] == pytest.approx((seen[1] + seen[3]) / 2)
    assert len(list(job.checkpoints.glob("epoch-*.ckpt"))) == 2
    assert average([{"count": torch.tensor(3)}, {"count": torch.tensor(8)}]) == {"count": torch.tensor(3)}


@pytest.mark.filterwarnings("ignore:'pin_memory' argument")  # there may be no GPU
@pytest.mark.parametrize("ahead", [0, 2])
def test_each_epoch_uses_the_next_form_of_the_rows(tmp_path: Path, ahead: int) -> None:
    for i in range(3):
        write_split(tmp_path / f"form-{i}", {"text": [[4 + i] * (1 + i + n) for n in range(5)]})
    forms = [Split(tmp_path / f"form-{i}") for i in range(3)]
    rows = Alternating(forms)
    batches = loader(rows, 9, 1, shuffle=True, ahead=ahead)
    steps = [*loader(forms[0], 9, 1, shuffle=True)]
    for epoch in range(5):
        rows.set_epoch(epoch)
        units = [set(batch["text"].unique().tolist()) - {PAD} for batch in batches]
        assert units == [{4 + epoch % 3}] * len(steps)
        assert sum(int(batch["text_lengths"].sum()) for batch in batches) == int(forms[epoch % 3].lengths("text").sum())


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_non_finite_loss_is_an_error_with_the_epoch(tmp_path: Path, loss: float) -> None:
    with pytest.raises(ValueError, match="not finite in epoch 2: lower learning_rate"):
        fit_scripted(tmp_path, Scripted([1.0, loss]), 2, epochs=3)


@pytest.mark.parametrize(("gain", "picked"), [(0.02, "32-true"), (1.1, "32-true"), (2.0, "bf16-mixed")])
def test_a_cpu_uses_the_faster_precision(gain: float, picked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.training.hardware.bf16_gain", lambda: gain)
    assert pick_precision("auto", "cpu") == picked


def test_a_resumed_job_keeps_its_precision(small_params: Params, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = Params.model_validate(small_params.model_dump(by_alias=True) | {"precision": "auto"})

    def stop(_: Row) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.training.hardware.bf16_gain", lambda: 2.0)
    undisturbed, _ = fit(*begin("names", params, place / "undisturbed"), lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        fit(*begin("names", params, place / "stopped"), stop)
    monkeypatch.setattr("pipelines.training.hardware.bf16_gain", lambda: 0.5)  # as under load
    resumed, _ = fit(*begin("names", params, place / "stopped"), lambda _: None)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in undisturbed.items())


class Reader(torch.nn.Module):
    """Multiplies its inputs by a weight, and records them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.given = torch.nn.Parameter(torch.ones(1, 1)), list[torch.Tensor]()

    def forward(self, days: torch.Tensor, days_lengths: torch.Tensor, linear: torch.Tensor, target: torch.Tensor) -> Loss:
        self.given = [days, linear, target]
        product = days @ self.weight
        assert product.dtype == torch.bfloat16
        return Loss(product.float().square().sum(), len(days_lengths))


def test_inputs_keep_their_precision_with_bf16_products(tmp_path: Path) -> None:
    arrays = {name: np.array([[1.0001], [2.0002]], np.float32) for name in ("steps", "linear", "targets")}
    write_windows(tmp_path, 2, {"one": (0, 2)}, arrays, {"train": np.array([1])})
    rows, model = Windows(tmp_path, "train"), Reader()
    fit(model, replace(job_of(tmp_path, 1), train=rows, valid=rows, precision="bf16"), lambda _: None)
    for ours, expected in zip(model.given, [arrays["steps"][None], arrays["linear"][1:], arrays["targets"][1:]], strict=True):
        np.testing.assert_array_equal(ours.numpy(), expected)


def test_device_and_precision() -> None:
    assert pick_accelerator("cpu") == "cpu"
    assert pick_precision("fp32", "cpu") == "32-true"
    assert pick_precision("bf16", "cpu") == "bf16-mixed"
    if not torch.cuda.is_available():
        assert pick_accelerator("auto") == "cpu"
        with pytest.raises(ValueError, match="no GPU"):
            pick_accelerator("cuda")
