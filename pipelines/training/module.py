"""The training loop's step, its optimizer and its record, on Lightning."""

from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from models.clipping import clip_gradient
from models.loss import Loss
from pipelines.settings.section import Train

Row = dict[str, float]  # one epoch: epoch, train_loss, valid_loss, learning_rate, units_per_s


class TrainingModule(lightning.LightningModule):
    """Trains any model whose forward takes a batch's columns and returns a Loss.

    Args:
        model: one of models/.
        params: see params.yaml.
        seed: of dropout.
        report: called with the row of each finished epoch, also with those of a run that is being resumed.
    """

    def __init__(self, model: nn.Module, params: Train, seed: int, report: Callable[[Row], None]) -> None:
        super().__init__()
        self.model, self.params, self.seed, self.report = model, params, seed, report
        self.history: list[Row] = []
        self._sums: dict[str, list[float]] = {}

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's sums."""
        self._sums = {"train": [0.0, 0], "valid": [0.0, 0]}

    def training_step(self, batch: dict[str, Tensor], _index: int) -> Tensor:
        """Mean loss of a batch, in nats a unit.

        Dropout draws from the seed and the step alone, so that a resumed run draws what it would have drawn.
        """
        seed_draws(self.seed * 1_000_003 + self.global_step)
        mean = self._add("train", self.model(**batch))
        self.log("loss", mean.detach(), prog_bar=True, batch_size=1)
        return mean

    def validation_step(self, batch: dict[str, Tensor], _index: int) -> None:
        """Add a batch to the epoch's validation loss."""
        self._add("valid", self.model(**batch))

    def _add(self, split: str, loss: Loss) -> Tensor:
        sums = self._sums[split]
        sums[0] += float(loss.total.detach())
        sums[1] += loss.units
        return loss.total / loss.units

    def on_validation_epoch_end(self) -> None:
        """Write the epoch's row."""
        means = {f"{split}_loss": total / units for split, (total, units) in self._sums.items()}
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        row = {"epoch": float(self.current_epoch + 1), **means, "learning_rate": float(rate)}
        self.log("valid_loss", means["valid_loss"], prog_bar=True, batch_size=1)
        self.history.append(row)
        self.report(row)

    def on_before_optimizer_step(self, _optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient: bf16 needs no loss scaling, so a fused optimizer leaves gradients as they are."""
        clip_gradient(self.parameters(), norm=self.params.clip_norm, value=self.params.clip_value)

    def configure_optimizers(self) -> Any:
        """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) under a one-cycle schedule, stepped by batch."""
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.params.learning_rate, weight_decay=self.params.weight_decay, fused=True
        )
        steps, share = int(self.trainer.estimated_stepping_batches), self.params.warmup_share
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.params.learning_rate,
            total_steps=steps,
            pct_start=1.5 * share if share * steps == 1 else share,  # torch divides by the warm-up's steps less one
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the record with the weights."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the record up again."""
        self.history = checkpoint["history"]
        for row in self.history:
            self.report(row)


def seed_draws(seed: int) -> None:
    """Seed what is drawn on the CPU and on GPUs.

    torch.manual_seed also notes, with a stack trace, to seed each kind of device that may come into use: as long as a small
    model's step.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
