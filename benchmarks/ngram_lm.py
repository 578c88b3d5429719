"""The neural n-gram model, trained for longer than in the default profile, with and without direct connections."""

import math
import sys
import tempfile
from pathlib import Path

from models.text.special import SPECIAL_TOKENS
from models.text.vectors import VOCABULARY
from models.text.words import WordVocabulary
from pipelines.embedding.ngram_lm import build_ngram_lm, perplexities
from pipelines.paths import PREPARED
from pipelines.report.record import Figures
from pipelines.settings.params import load_params
from pipelines.settings.section import Train
from pipelines.settings.vectors import NgramModel, NgramVectors
from pipelines.store import Split
from pipelines.training.fit import Job, fit
from pipelines.training.work import Row

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
    """Measure test perplexities on the Brown corpus, split as in Bengio et al. 2003.

    The best mixture in table 1 of that paper has a perplexity of 252. All choices, including the mixture weight, were made on the
    validation split.
    """
    figures: Figures = {}
    for name, direct in (("ngram", False), ("ngram_direct", True)):
        found = _train(direct=direct)
        figures |= {f"{name}_perplexity": found["mixture_perplexity"], f"{name}_alone_perplexity": found["perplexity"]}
        figures |= {f"{name}_weight": found["mixture_weight"], "kneser_ney_perplexity": found["kneser_ney_perplexity"]}
    return figures


def _train(*, direct: bool) -> dict[str, float]:
    sizes = NgramModel.model_validate({**SIZES, "direct": direct})
    settings = NgramVectors(vectors="vectors", algorithm="ngram_lm", data="prepared/brown", model=sizes, train=TRAIN)
    order, size = load_params().order(CORPUS.name), len(SPECIAL_TOKENS) + len(WordVocabulary.load(CORPUS / VOCABULARY))
    splits = {name: Split(CORPUS / name) for name in ("train", "valid")}
    model = build_ngram_lm(settings, size, order, splits["train"], SEED)
    with tempfile.TemporaryDirectory(prefix="seqline-") as folder:
        job = Job(**splits, params=TRAIN, seed=SEED, device="auto", precision="auto", checkpoints=Path(folder))
        model.load_state_dict(fit(model, job, _show)[0])
    return perplexities(model, CORPUS, size, order)


def _show(row: Row) -> None:
    sys.stderr.write(f"n-gram model: {row}\n")
