"""Evaluation on the test split: one module for each kind of model and one for each baseline."""
