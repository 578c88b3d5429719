"""Counts the vowels of a text."""
