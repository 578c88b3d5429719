"""Comparison of recurrent networks for surname classification: cells, directions and depths, with five seeds each."""
