"""Tracking of stages in MLflow: runs, the server, and fast, reliable delivery."""
