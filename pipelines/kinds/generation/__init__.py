"""Label -> text."""
