"""The common form of requests and answers for all kinds of model, and the errors for invalid requests."""
