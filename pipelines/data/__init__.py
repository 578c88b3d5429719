"""Data: reads users' files and turns them into disjoint splits."""
