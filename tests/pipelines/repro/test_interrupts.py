"""A signal ends the run exactly once, wherever it arrives."""

import os
import signal
from collections.abc import Iterator

import pytest

from pipelines.repro.interrupts import Interrupts

TAKEN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    before = {number: signal.signal(number, signal.SIG_DFL) for number in TAKEN}
    listening = Interrupts()
    listening.listen()
    yield listening
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("number", TAKEN)
def test_the_first_signal_ends_the_run_and_the_others_change_nothing(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    for other in TAKEN:
        os.kill(os.getpid(), other)


def test_a_signal_is_deferred_until_the_end_of_a_held_block(interrupts: Interrupts) -> None:
    done = []

    def work() -> None:
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["whole"]


class Removed:
    """Receives a signal in `__del__`, where Python swallows the exception."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_swallowed_signal_is_not_lost(interrupts: Interrupts) -> None:
    interrupts.check()
    Removed()
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
