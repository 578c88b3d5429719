"""How the models are used: predictors on onnxruntime behind one request contract. Only `serving.handlers` knows TorchServe."""
