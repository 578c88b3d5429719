"""Walk-forward evaluation of time series forecasts: refits, baselines, confidence intervals and leak checks."""
