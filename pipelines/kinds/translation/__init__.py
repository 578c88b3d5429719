"""A sentence -> its translation."""
