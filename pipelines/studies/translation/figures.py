"""The study's figures."""

from matplotlib.figure import Figure

from pipelines.evaluation.findings import Table
from pipelines.studies.translation.settings import ATTENTIONS, CELLS, Network

DPI = 120
COLORS = dict(zip(ATTENTIONS, ("black", "tab:blue", "tab:red", "tab:orange", "tab:green", "tab:purple"), strict=True))


def draw_networks(table: Table) -> Figure:
    """Each network's BLEU with its interval, best on top.

    Args:
        table: rows with network, bleu, bleu_low and bleu_high.
    """
    figure = Figure(figsize=(7, 0.35 * len(table) + 1.2), dpi=DPI)
    axes = figure.subplots()
    ordered = sorted(table, key=lambda row: float(row["bleu"]))
    for i, row in enumerate(ordered):
        color = COLORS[Network.parse(str(row["network"])).attention]
        axes.plot([float(row["bleu_low"]), float(row["bleu_high"])], [i, i], color=color)
        axes.plot(float(row["bleu"]), i, "o", color=color)
    axes.set_yticks(range(len(ordered)), [str(row["network"]) for row in ordered])
    axes.set_xlabel("BLEU on the test split and its 95 % interval")
    return figure


def draw_by_length(table: Table) -> Figure:
    """BLEU by source length, as in figure 2 of Bahdanau et al. 2015: one panel per cell, one line per attention.

    Args:
        table: rows with network, mean_length and bleu, sorted by length within a network. Networks with scheduled sampling are
            left out.
    """
    figure = Figure(figsize=(4.5 * len(CELLS), 4.2), dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(CELLS), sharey=True)
    for axes, cell in zip(panels, CELLS, strict=True):
        for attention in ATTENTIONS:
            rows = [row for row in table if row["network"] == str(Network(attention, cell))]
            lengths, scores = ([float(row[name]) for row in rows] for name in ("mean_length", "bleu"))
            style = "--" if attention == "fixed" else "-"
            axes.plot(lengths, scores, style, marker=".", color=COLORS[attention], label=attention)
        axes.set(title=cell.upper(), xlabel="length of the source, subwords")
        axes.grid(alpha=0.3)
    panels[0].set(ylabel="BLEU", ylim=(0, None))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(ATTENTIONS), frameon=False)
    return figure


def draw_beams(table: Table) -> Figure:
    """BLEU by beam width, with its interval.

    Args:
        table: rows with beams, bleu, bleu_low and bleu_high.
    """
    figure = Figure(figsize=(5, 3.6), dpi=DPI)
    axes = figure.subplots()
    beams, scores, lows, highs = ([float(row[name]) for row in table] for name in ("beams", "bleu", "bleu_low", "bleu_high"))
    axes.fill_between(beams, lows, highs, alpha=0.2)
    axes.plot(beams, scores, marker=".")
    axes.set(xlabel="width of the beam", ylabel="BLEU on the test split and its 95 % interval", xticks=beams)
    axes.grid(alpha=0.3)
    return figure
