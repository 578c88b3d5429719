"""Endpoints of word vectors."""
