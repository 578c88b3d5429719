"""Stage `states`: the hidden states of a character language model. `python -m pipelines.studies.gradients.states TASK`."""

from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.figure import Figure
from safetensors.torch import load_model
from torch import Tensor

from models.generation.language_model import LanguageModel
from models.text.characters import CharacterTokenizer
from models.text.special import BOS, UNK
from pipelines.data.prepared import read_labels
from pipelines.evaluation.findings import Report, Table
from pipelines.kinds.generation.model import build
from pipelines.kinds.generation.settings import GenerationTask
from pipelines.paths import PREPARED, WEIGHTS
from pipelines.settings.errors import closest
from pipelines.settings.params import load_params
from pipelines.stage import StageError, run_stage
from pipelines.studies.gradients.settings import PLOTS, HiddenStates, load_settings
from pipelines.tracking.runs import track

ROW, COLUMN = 0.13, 0.32  # size of a cell in inches
BEGINNING = "^"  # shown for BOS, with which a name starts


@torch.no_grad()
def hidden_states(model: LanguageModel, ids: list[int], label: int) -> Tensor:
    """h_t after each character of a text, [T, H].

    Args:
        model: a model in evaluation mode.
        ids: ids of the characters, BOS first.
        label: label of the text.
    """
    states: list[Tensor] = []
    for i in ids:
        before = states[-1] if states else None
        states.append(model.logits(torch.tensor([[i]]), torch.ones(1, dtype=torch.long), torch.tensor([label]), before)[1])
    return torch.cat(states)


def choose_units(states: Mapping[str, Tensor], number: int) -> list[int]:
    """The units that vary most over all texts, ordered by the position of their maximum.

    Args:
        states: text -> [T, H].
        number: number of units.
    """
    together = torch.cat(list(states.values()))
    chosen = together.std(0).topk(number).indices
    ordered: list[int] = chosen[together[:, chosen].argmax(0).argsort(stable=True)].tolist()
    return ordered


def read_states(settings: HiddenStates, model: LanguageModel, prepared: Path) -> dict[str, Tensor]:
    """h_t over each name of the settings, [1 + its length, H], starting with the state before its first character.

    Raises:
        StageError: a label or character is not in the model's vocabulary.
    """
    tokenizer, labels = CharacterTokenizer.load(prepared / "tokenizer.json"), read_labels(prepared)
    found = {}
    for name, label in settings.names.items():
        if label not in labels:
            raise StageError(f"{name}: there is no label {label!r}{closest(label, labels)}")
        ids = tokenizer.encode(name)
        if UNK in ids or len(ids) != len(name):
            raise StageError(f"{name}: the model does not know all of its characters; choose another name")
        found[name] = hidden_states(model.eval(), [BOS, *ids], labels.index(label))
    return found


def tabulate(states: Mapping[str, Tensor], units: list[int]) -> Table:
    """One row per name, character and unit."""
    return [
        {"name": name, "position": t, "character": character, "unit": unit, "value": float(values[t, unit])}
        for name, values in states.items()
        for t, character in enumerate(BEGINNING + name)
        for unit in units
    ]


def draw_states(states: Mapping[str, Tensor], units: list[int]) -> Figure:
    """One panel per name, with a row per unit and a column per character; red where h_t is positive, blue where negative."""
    columns = [len(values) for values in states.values()]
    size = (COLUMN * sum(columns) + 2.5, ROW * len(units) + 1)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    panels = figure.subplots(1, len(states), sharey=True, squeeze=False, width_ratios=columns)[0]
    for axes, (name, values) in zip(panels, states.items(), strict=True):
        cells = axes.pcolormesh(values[:, units].T.numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_xticks([t + 0.5 for t in range(len(values))], list(BEGINNING + name))
        axes.set(title=name, xlabel=f"character read ({BEGINNING}: beginning)")
        axes.tick_params(length=0)
    panels[0].set_yticks([i + 0.5 for i in range(len(units))], [str(unit) for unit in units], fontsize=6)
    panels[0].set_ylabel("unit of the hidden state")
    panels[0].invert_yaxis()
    figure.colorbar(cells, ax=panels, label="$h_t$")
    return figure


def main(task: str) -> None:
    """Write plots/studies/gradients/states."""
    settings = load_settings().states
    model = build(load_params().task_of(task, GenerationTask), PREPARED / task)
    load_model(model, WEIGHTS / task / "model.safetensors")
    with track("states", task) as run:
        states = read_states(settings, model, PREPARED / task)
        units = choose_units(states, settings.units)
        report = Report({}, {"states.csv": tabulate(states, units)}, {"states.png": draw_states(states, units)})
        report.write_plots(PLOTS / "states")
        run.artifacts(PLOTS / "states")


if __name__ == "__main__":
    run_stage(main)
