"""Trials of a challenger beside a served model: a shadow gets copies of requests, and a canary answers a share of them."""
