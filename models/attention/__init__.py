"""Attention: for each query, a weighted mean of a memory's values."""
