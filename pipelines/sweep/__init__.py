"""Hyperparameter search for a task."""
