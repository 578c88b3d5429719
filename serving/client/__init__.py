"""Clients of a server, by REST or gRPC: the blocking `Client` and the asynchronous `AsyncClient`."""
