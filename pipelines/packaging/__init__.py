"""What goes into a model archive beside the model: requests with their answers, and what the training data looked like."""
