"""Endpoints of schedulers."""
