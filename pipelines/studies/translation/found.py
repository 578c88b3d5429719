"""What the stages `translate` and `sample` found, and where."""

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
        parameters: how many weights it has.
        valid_loss: in nats a unit, by which networks are chosen.
        tokens_s: target units a second of training, which the validation after each epoch, a hundredth of it, counts into.
        hypotheses: of the test split's sources, in their order.
    """

    parameters: int
    valid_loss: float
    tokens_s: float
    hypotheses: list[str]


class Found(Section):
    """A network's runs, one for each seed."""

    runs: Annotated[list[Run], Field(min_length=1)]

    @property
    def valid_loss(self) -> float:
        """The mean of the runs."""
        return fmean(run.valid_loss for run in self.runs)

    @property
    def tokens_s(self) -> float:
        """The mean of the runs."""
        return fmean(run.tokens_s for run in self.runs)


def bundles(network: Network) -> Path:
    """The folder of a network's exported models, one for each seed."""
    return FOUND / "bundles" / str(network)


def read_found() -> dict[Network, Found]:
    """By network, of those that there are, in the order of NETWORKS."""
    files = {network: FOUND / f"{network}.json" for network in NETWORKS}
    return {network: Found.model_validate_json(file.read_bytes()) for network, file in files.items() if file.exists()}


def best_attention(found: Mapping[Network, Found]) -> Network:
    """The network with attention whose validation loss is lowest, of those that were taught by the reference alone."""
    candidates = [network for network in found if network.attention != "fixed" and not network.sampled]
    return min(candidates, key=lambda network: found[network].valid_loss)
