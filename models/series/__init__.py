"""Features of time series for forecasters. It needs only NumPy, because the same code prepares training data and requests."""
