"""Endpoints of forecasters."""
