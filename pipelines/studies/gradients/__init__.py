"""What vanishing gradients cost a recurrent network, and what gates do about them."""
