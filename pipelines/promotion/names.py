"""Names in MLflow's registry: aliases, tags and artifacts; see also `serving.registry`."""

from typing import Final

CHALLENGER: Final = "challenger"  # alias of the version that was registered last
CHAMPION: Final = "champion"  # alias of the version that is served
FORMER: Final = "former"  # alias of the champion before, to go back to
GATE: Final = "gate"  # tag of a version: the latest decision about it; also the folder of all decisions, in its run
CARD: Final = "card/model_card.md"  # artifact of the run that registered a version
LONGEST: Final = 5000  # characters of a version's description
