"""The training loop of all tasks."""
