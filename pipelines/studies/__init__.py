"""Comparisons that exceed the time budget of the default profile: one folder each, with its own DVC pipeline."""
