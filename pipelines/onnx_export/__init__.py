"""From torch modules to ONNX files that are checked before anybody relies on them."""
