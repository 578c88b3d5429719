"""The loss of one short string, alone and in a batch with longer ones."""

import torch

from lessons.labs.probes.tiny import strings, translator

model, batch = translator().eval(), strings(16, seed=2)
with torch.no_grad():
    together = model(**batch)
    alone, units = 0.0, 0
    for row in range(16):
        source, target = int(batch["source_lengths"][row]), int(batch["target_lengths"][row])
        cut = {"source": batch["source"][[row], :source], "target": batch["target"][[row], :target]}
        one = model(**cut, source_lengths=torch.tensor([source]), target_lengths=torch.tensor([target]))
        alone, units = alone + float(one.total), units + one.units
print(f"scored one by one: {units} units, {alone / units:.3f} nats each")
print(f"scored in a batch: {together.units} units, {float(together.total) / together.units:.3f} nats each")
