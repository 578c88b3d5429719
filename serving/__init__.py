"""Model serving: predictors on onnxruntime behind one request contract. Only `serving.handlers` depends on TorchServe."""
