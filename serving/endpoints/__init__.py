"""Endpoints, one for each kind of bundle: they convert requests to calls of a predictor, and results to answers."""
