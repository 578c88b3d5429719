"""Study `translation`, stage `table`: comparison of all networks, also by source length.

`python -m pipelines.studies.translation.table translation`.
"""

import numpy as np
from numpy.typing import NDArray

from models.text.json_files import write_json
from pipelines.data.prepared import read_texts
from pipelines.evaluation.findings import Report
from pipelines.paths import PLOTS, PREPARED
from pipelines.report.record import Figures, record
from pipelines.settings.params import read_settings
from pipelines.stage import run_stage
from pipelines.store import Split
from pipelines.studies.translation.figures import draw_by_length, draw_networks
from pipelines.studies.translation.found import best_attention, read_found
from pipelines.studies.translation.lines import Lines, by_length, line_of, named, sampling
from pipelines.studies.translation.scores import bleu, gain
from pipelines.studies.translation.settings import NAME, SETTINGS, TASK, Network, TranslationStudy

PACKAGES = ("lightning-fabric", "onnxruntime", "sacrebleu", "torch")
FOLDER = PLOTS / "studies" / NAME / "networks"


def figures_of(lines: Lines, best: Network, long: NDArray[np.bool_], resamples: int) -> Figures:
    """The recorded figures: each network's BLEU and speed, and the gain of the best attention on long sources.

    Args:
        lines: scores by network.
        best: the network that is compared with the fixed vector of the same cell.
        long: mask of the long sources, [N].
        resamples: number of bootstrap samples for the interval of the gain.
    """
    ours, theirs = (lines[network].sentences[:, long] for network in (best, best._replace(attention="fixed")))
    figures = named("attention_gain_long", gain(ours, theirs, resamples))
    figures |= {"attention_bleu_long": bleu(ours), "fixed_bleu_long": bleu(theirs)}
    for network, line in lines.items():
        name = str(network).replace("-", "_")
        figures |= {f"bleu_{name}": line.bleu.mean, f"tokens_s_{name}": line.found.tokens_s}
    return figures


def main(_: str) -> None:
    """Write plots/studies/translation/networks and the study's figures in benchmarks/results/translation.json."""
    settings, prepared, found = read_settings(SETTINGS, TranslationStudy), PREPARED / TASK, read_found()
    references, lengths = read_texts(prepared, "test")["target"], Split(prepared / "test").lengths("source") - 1  # less EOS
    lines = {network: line_of(found[network], references, settings.resamples) for network in found}
    best = best_attention(found)
    figures = figures_of(lines, best, lengths > settings.long, settings.resamples)
    networks, bins = [line.row(network) for network, line in lines.items()], list(by_length(lines, lengths, settings.bins))
    tables = {"networks.csv": networks, "by_length.csv": bins, "sampling.csv": list(sampling(lines, settings.resamples))}
    pictures = {"networks.png": draw_networks(networks), "by_length.png": draw_by_length(bins)}
    Report({}, tables, pictures).write_plots(FOLDER)
    write_json(FOLDER / "best.json", {"network": str(best), **figures})
    record(NAME, f"make study NAME={NAME}", PACKAGES, figures)


if __name__ == "__main__":
    run_stage(main)
