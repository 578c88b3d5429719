"""Endpoints of classifiers."""
