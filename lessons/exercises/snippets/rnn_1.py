"""Count the weights of a recurrent network."""

from models.recurrent.layer import Recurrent

layer = Recurrent("rnn", input_size=8, hidden_size=16)
print(f"weights: {sum(weight.numel() for weight in layer.parameters())}")
