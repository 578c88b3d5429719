"""Readers of the raw data sets, one module for each shape of record."""
