"""Stages of dvc.yaml side by side: DVC's part of a stage, and its command."""
