"""Endpoints of translators."""
