"""The neural n-gram model trained for longer than the default profile may, with and without direct connections."""

import math
import sys
import tempfile
from pathlib import Path

from pipelines.embedding.ngram_lm import train_ngram_lm
from pipelines.params import load_params
from pipelines.paths import PREPARED
from pipelines.record import Figures
from pipelines.settings.section import Train
from pipelines.settings.vectors import NgramModel, NgramVectors
from pipelines.store import Split
from pipelines.training.fit import Job, Row

CORPUS = PREPARED / "brown"
SIZES = {"embedding_size": 128, "hidden_size": 256, "dropout": 0.4, "cutoffs": [], "tied": True}
TRAIN = Train(
    epochs=3,
    batch_units=1024,
    learning_rate=0.002,
    weight_decay=0.01,
    warmup_share=0.1,
    clip_norm=1.0,
    clip_value=math.inf,
    patience=3,
    average=1,
)
SEED = 1


def measure_ngram_lm() -> Figures:
    """Test perplexities on the Brown corpus, cut as in Bengio et al. 2003, of which table 1 has 252 for its best mixture.

    All choices, the mixture's weight among them, were made on the validation split.
    """
    figures: Figures = {}
    for name, direct in (("ngram", False), ("ngram_direct", True)):
        found = _train(direct=direct)
        figures |= {f"{name}_perplexity": found["mixture_perplexity"], f"{name}_alone_perplexity": found["perplexity"]}
        figures |= {f"{name}_weight": found["mixture_weight"], "kneser_ney_perplexity": found["kneser_ney_perplexity"]}
    return figures


def _train(*, direct: bool) -> dict[str, float]:
    settings = NgramVectors(data="prepared/brown", model=NgramModel.model_validate({**SIZES, "direct": direct}), train=TRAIN)
    splits = {name: Split(CORPUS / name) for name in ("train", "valid")}
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        job = Job(**splits, params=TRAIN, seed=SEED, device="auto", precision="auto", checkpoints=Path(folder))
        return train_ngram_lm(settings, CORPUS, load_params().brown.prepare.order, job, {}, _show)[1]


def _show(row: Row) -> None:
    sys.stderr.write(f"n-gram model: {row}\n")
