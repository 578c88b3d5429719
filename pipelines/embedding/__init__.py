"""How the methods that are not a single call make their vectors."""
