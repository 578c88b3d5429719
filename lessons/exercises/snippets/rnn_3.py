"""Clip one gradient in two ways, and measure by how many degrees its direction turns."""

import math

import torch
from torch import nn

from models.clipping import clip_gradient

angles = []
for norm, value in ((1.0, math.inf), (math.inf, 1.0)):
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([30.0, 0.4])
    clip_gradient([weight], norm=norm, value=value)
    angles.append(math.degrees(math.atan2(float(weight.grad[1]), float(weight.grad[0])) - math.atan2(0.4, 30.0)))
print(f"turned by {angles[0]:.1f} degrees by norm, by {angles[1]:.1f} by value")
