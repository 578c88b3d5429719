"""Let a decoder write without a teacher, beside two references that say different things."""

import torch

from lessons.labs.probes.tiny import strings, translator

model, batch = translator(), strings(4, seed=3)
memory, state = model.encode(batch["source"], batch["source_lengths"])
previous = batch["target"][:, :-1]
other = torch.cat((previous[:, :1], (previous[:, 1:] + 1) % model.decoder.embedding.num_embeddings), 1)
with torch.no_grad():
    written = []
    for reference in (previous, other):
        torch.manual_seed(0)  # both draw the same random numbers
        written.append(model.decoder.sampled(reference, state, memory, 0.0))
print(f"another reference changes what the decoder writes by up to {float((written[0] - written[1]).abs().max()):.3f}")
