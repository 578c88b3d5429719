"""Encoder and decoder: from one sequence of units to another."""
