"""Runs a training stage here or on the cluster at RAY_ADDRESS: `python -m learning NAME` in the folder tests."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from models.text.vectors import WordVectors
from pipelines.settings.params import Params, load_params
from pipelines.stage import StageError
from pipelines.stages.embed import embed
from pipelines.stages.train import train
from pipelines.tracking.runs import StageRun
from pipelines.training.work import Row


def learn(name: str, params: Params) -> int:
    """Train a task, or word vectors of a method, and return the number of epochs."""
    if name not in params.methods:
        return len(train(name, params, StageRun(None, "")))
    rows: list[Row] = []

    def report(row: Row) -> None:
        rows.append(row)
        sys.stdout.write(f"{name}: epoch {row['epoch']:g}\n")
        sys.stdout.flush()

    embed(name, params, report).save(Path("build") / name)
    return len(rows)


def learned(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """The tensors that a stage wrote in a folder."""
    weights = folder / "build/weights" / name / "model.safetensors"
    if weights.exists():
        return load_file(weights)
    return {"vectors": torch.from_numpy(WordVectors.load(folder / "build" / name).matrix.copy())}


if __name__ == "__main__":
    try:
        learn(sys.argv[1], load_params())
    except StageError as error:
        sys.exit(f"error: {error}")
