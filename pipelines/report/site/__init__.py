"""What the documentation site takes from the project itself: code, figures, tables, interfaces."""
