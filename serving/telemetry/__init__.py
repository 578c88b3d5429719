"""Metrics of served models."""
