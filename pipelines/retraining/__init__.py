"""Trains again on old and new data: what people said about answers becomes rows, and the new model has to pass the gate."""
