"""TorchServe handlers: the only code of the project that speaks TorchServe's protocol. They run inside its workers."""
