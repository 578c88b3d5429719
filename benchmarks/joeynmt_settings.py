"""Translates the settings of a translation task into a Joey NMT configuration; other keys keep Joey NMT's defaults."""

from pathlib import Path
from typing import Any

from models.text.special import SPECIAL_TOKENS
from pipelines.kinds.translation.settings import TranslationTask

REPORT_EVERY = 50  # steps between two log lines of its training loop
NEVER = 10**6 * REPORT_EVERY
BATCH = 64  # sentences per translation batch, its default
SEED = 1
ATTENTIONS = {"bahdanau": "bahdanau", "general": "luong"}  # our name -> Joey NMT's, for the attentions that both have

Configuration = dict[str, Any]


def configuration(task: TranslationTask, folder: Path, sentences: int, steps: int) -> Configuration:
    """Return the whole configuration: data, model, training and beam search.

    Args:
        task: the task's params.
        folder: contains vocabulary.txt and the subwords of each split and side; checkpoints go there, too.
        sentences: sentences per training batch.
        steps: steps of the whole training.
    """
    return {
        "name": "joeynmt",
        "model_dir": str(folder),
        "use_cuda": False,
        "random_seed": SEED,
        "data": _data(folder),
        "model": _model(task),
        "training": _training(task, sentences, steps),
        "testing": {"batch_size": BATCH, "beam_size": task.export.num_beams, "beam_alpha": task.export.length_penalty},
    }


def _data(folder: Path) -> Configuration:
    """Return the data section. The files have subwords separated by spaces, which it reads as words."""
    pad, unk, bos, eos = SPECIAL_TOKENS
    side = {"level": "word", "voc_file": str(folder / "vocabulary.txt")}
    return {
        **{name: str(folder / split) for name, split in (("train", "train"), ("dev", "valid"), ("test", "test"))},
        "special_symbols": {"unk_token": unk, "pad_token": pad, "bos_token": bos, "eos_token": eos},
        "src": {"lang": "source", **side},
        "trg": {"lang": "target", **side},
    }


def _model(task: TranslationTask) -> Configuration:
    """Return the model section. All three embedding tables are tied and initialized like ours."""
    model = task.model
    vectors = {"embedding_dim": model.embedding_size, "dropout": model.dropout}
    layers = {"type": "recurrent", "rnn_type": model.cell, "num_layers": model.layers, "dropout": model.dropout}
    return {
        "tied_embeddings": True,
        "tied_softmax": True,
        "embed_initializer": "normal",
        "embed_init_weight": model.embedding_size**-0.5,
        "encoder": {**layers, "embeddings": vectors, "hidden_size": model.encoder_size, "bidirectional": True},
        "decoder": {
            **layers,
            "embeddings": vectors,
            "hidden_size": model.hidden_size,
            "hidden_dropout": model.dropout,
            "attention": ATTENTIONS[model.attention],
            "init_hidden": "bridge",
            "input_feeding": True,
        },
    }


def _training(task: TranslationTask, sentences: int, steps: int) -> Configuration:
    """Return the training section: our optimizer, loss and clipping, and a schedule that warms up to our peak learning rate."""
    train = task.train
    return {
        "loss": "crossentropy",
        "normalization": "tokens",
        "label_smoothing": task.model.label_smoothing,
        "optimizer": "adamw",
        "weight_decay": train.weight_decay,
        "scheduling": "warmupinversesquareroot",
        "learning_rate": train.learning_rate,
        "learning_rate_warmup": max(1, round(train.warmup_share * steps)),
        "clip_grad_norm": train.clip_norm,
        "batch_type": "sentence",
        "batch_size": sentences,
        "epochs": train.epochs,
        "logging_freq": REPORT_EVERY,
        "validation_freq": NEVER,
    }
