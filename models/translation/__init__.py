"""Encoder-decoder models, from one sequence to another."""
