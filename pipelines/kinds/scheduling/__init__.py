"""An order and a market's recent days -> a schedule."""
