"""Comparisons that take longer than the default profile may: each a folder with a DVC pipeline of its own."""
