"""Divides rows into disjoint splits."""
