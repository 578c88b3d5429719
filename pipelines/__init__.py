"""How it is made: one module for each DVC stage, and what they share."""
