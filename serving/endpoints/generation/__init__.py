"""Endpoints of generators."""
