"""Where each stage's files are, relative to the repository's root, in which every stage runs."""

from pathlib import Path

CATALOGUE = Path("data/catalogue.yaml")
RAW = Path("data/raw")  # one folder a data set, by `download`
PREPARED = Path("data/prepared")  # one folder a task, by `prepare`
WEIGHTS = Path("build/weights")  # one folder a task, by `train`
BUNDLES = Path("build/bundles")  # one folder a task, by `export`: what serving loads
REGISTERED = Path("build/registered")  # one file a task, by `register`
STORE = Path("build/model-store")  # one .mar a task, by `package`
METRICS = Path("metrics")
PLOTS = Path("plots")
CHECKPOINTS = Path(".checkpoints")  # unfinished training runs, to resume from
