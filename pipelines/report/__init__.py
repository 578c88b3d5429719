"""Figures: from where they are recorded into the pages' tables."""
