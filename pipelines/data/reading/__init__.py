"""Reads users' files into rows."""
