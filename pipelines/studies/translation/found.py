"""Results of the stages `translate` and `sample`, and their paths."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Annotated

from pydantic import Field

from pipelines.settings.section import Section
from pipelines.studies.translation.settings import FOUND, NETWORKS, Network


class Run(Section):
    """A trained network's translations.

    Attributes:
        parameters: number of weights.
        valid_loss: loss in nats per unit, by which the best network is chosen.
        tokens_s: target units per second of training, including the validation after each epoch, which takes about 1 %.
        hypotheses: translations of the test split's sources, in order.
    """

    parameters: int
    valid_loss: float
    tokens_s: float
    hypotheses: list[str]


class Found(Section):
    """A network's runs, one per seed."""

    runs: Annotated[list[Run], Field(min_length=1)]

    @property
    def valid_loss(self) -> float:
        """Mean over the runs."""
        return fmean(run.valid_loss for run in self.runs)

    @property
    def tokens_s(self) -> float:
        """Mean over the runs."""
        return fmean(run.tokens_s for run in self.runs)


def bundles(network: Network) -> Path:
    """The folder of a network's exported models, one per seed."""
    return FOUND / "bundles" / str(network)


def read_found() -> dict[Network, Found]:
    """The existing results by network, in the order of NETWORKS."""
    files = {network: FOUND / f"{network}.json" for network in NETWORKS}
    return {network: Found.model_validate_json(file.read_bytes()) for network, file in files.items() if file.exists()}


def best_attention(found: Mapping[Network, Found]) -> Network:
    """The network with attention, trained by teacher forcing alone, that has the lowest validation loss."""
    candidates = [network for network in found if network.attention != "fixed" and not network.sampled]
    return min(candidates, key=lambda network: found[network].valid_loss)
