"""The parts of `serving.control`: archives, ports, Java, the instance folder, starting and probing TorchServe."""
