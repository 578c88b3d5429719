"""Runs stages of dvc.yaml in parallel: DVC's work on a stage, and the stage's command."""
