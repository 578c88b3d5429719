"""A series -> its future."""
