"""The stages of dvc.yaml, one per file: `python -m pipelines.stages.NAME ARGUMENT`."""
