"""Where each stage's files are, relative to the repository's root, in which every stage runs."""

from pathlib import Path

CATALOGUE = Path("data/catalogue.yaml")
DATA = Path("data")
RAW = DATA / "raw"  # one folder a data set, by `download`
PREPARED = DATA / "prepared"  # one folder a task or corpus, by `prepare`
VECTORS = Path("build/vectors")  # one folder a method, by `embed`
WEIGHTS = Path("build/weights")  # one folder a task, by `train`
BUNDLES = Path("build/bundles")  # one folder a task, by `export`: what serving loads
REGISTERED = Path("build/registered")  # one file a task, by `register`
STORE = Path("build/model-store")  # one .mar a task, by `package`
METRICS = Path("metrics")
PLOTS = Path("plots")
CHECKPOINTS = Path(".checkpoints")  # unfinished training runs, to resume from
