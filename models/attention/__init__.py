"""Attention: a sequence of queries, each answered by a weighted mean of what a memory holds."""
