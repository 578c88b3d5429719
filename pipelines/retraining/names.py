"""Events of `seqline retrain` in the journal."""

from typing import Final

EVENT: Final = "retrain"  # in the journal: a training begins
RESTORED: Final = "restored"  # in the journal: it gave the version of an earlier training
OUTCOMES: Final = frozenset({"shadow", "waiting", RESTORED})  # events in the journal, one of which ends each round
