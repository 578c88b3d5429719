"""Paths of each stage's files, relative to the repository root, where every stage runs."""

from pathlib import Path

PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")
CATALOGUE = Path("data/catalogue.yaml")
DATA = Path("data")
FEEDBACK = DATA / "feedback"  # one file per task with rows from feedback, by `seqline retrain`
RAW = DATA / "raw"  # one folder per data set, by `download`
PREPARED = DATA / "prepared"  # one folder per task or corpus, by `prepare`
VECTORS = Path("build/vectors")  # one folder per block of vectors, with one per method inside, by `embed`
WEIGHTS = Path("build/weights")  # one folder per task, by `train`
BUNDLES = Path("build/bundles")  # one folder per task, by `export`: what serving loads
REGISTERED = Path("build/registered")  # one file per task, by `register`
STORE = Path("build/model-store")  # one .mar per task, by `package`
METRICS = Path("metrics")
PLOTS = Path("plots")
JOURNAL = Path("build/decisions.jsonl")  # by `seqline promote` and `seqline watch`
CHECKPOINTS = Path(".checkpoints")  # unfinished training runs, to resume from
