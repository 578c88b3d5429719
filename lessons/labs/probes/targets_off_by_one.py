"""Train a translator for 120 steps to turn strings around, and ask it for one."""

import torch

from lessons.labs.probes.tiny import LONGEST, strings, translator
from models.beam import Options
from models.text.special import EOS
from models.translation.graph import TranslatorGraph

model = translator()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for step in range(120):
    loss = model(**strings(64, seed=step))
    optimizer.zero_grad()
    torch.autograd.backward(loss.total / loss.units)
    optimizer.step()
print(f"training loss after 120 steps: {float(loss.total.detach()) / loss.units:.2f} nats a unit")

asked, options = strings(8, seed=1000), Options(*(torch.tensor([value]) for value in (1.0, 0.0, 0.0, 0, 0, 1)))
with torch.no_grad():
    tokens, *_ = TranslatorGraph(model.eval())(asked["source"], asked["source_lengths"], torch.tensor([0.0]), *options)
for wanted, found in zip(asked["target"][:3, 1:].tolist(), tokens[:3, 0].tolist(), strict=True):
    ends = [row.index(EOS) if EOS in row else LONGEST for row in (wanted, found)]
    print(f"wanted {wanted[: ends[0]]}, got {found[: ends[1]]}")
