"""Lineage: from an answer to the model, run, commit and data behind it, and back."""
