"""Asks a server's models, by REST or gRPC, waiting or not: `Client` and `AsyncClient`."""
