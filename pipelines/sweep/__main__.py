"""`python -m pipelines.sweep NAME`: see `pipelines.sweep.search`."""

from pipelines.stage import run_stage
from pipelines.sweep.search import main

run_stage(main)
