"""Exports torch modules to ONNX and verifies the result."""
