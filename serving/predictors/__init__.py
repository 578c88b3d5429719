"""One predictor for each kind of bundle. Serving answers requests with them, and the evaluation stage measures them."""
