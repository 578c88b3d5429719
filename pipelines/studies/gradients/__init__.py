"""Vanishing gradients in recurrent networks, and the effect of gates on them."""
