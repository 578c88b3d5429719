"""Walk-forward forecasts of market data: refitted every year, with several seeds, cells and attentions."""
