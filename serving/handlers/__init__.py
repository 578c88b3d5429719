"""Handlers that run inside the workers of a model server; only this package depends on TorchServe and MLServer."""
