"""A browser, and a server with a model of each kind, one of them under a name that nothing in the project has."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import MakeStore
from forecasters import task_of
from orders import market, small
from playwright.sync_api import Browser

from benchmarks.browsing import launched
from models.scheduling.scheduler import Scheduler
from pipelines.kinds import parts
from pipelines.kinds.scheduling.data import write
from pipelines.settings.params import load_params
from pipelines.stages.export import export
from pipelines.stages.package import Origin, package
from serving.server import control


@pytest.fixture(scope="module")  # not longer, as its driver runs an event loop in the thread of the tests
def browser() -> Iterator[Browser]:
    try:
        with launched() as found:
            yield found
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def store(
    make_store: MakeStore, contextual: tuple[Path, object], forecasters: dict[str, Path], bundles: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """Archives of all kinds; `vectors` with contextual ones, and `an-own-task`, a copy of the classifier."""
    folder = tmp_path_factory.mktemp("store")
    own = shutil.copytree(bundles["classification"], folder / "bundles" / "an-own-task")
    kinds = [bundle for kind, bundle in bundles.items() if kind != "vectors"]
    make_store(folder, *kinds, own, contextual[0])
    prepared = forecasters["qlike"].parent / "prepared"
    package(forecasters["qlike"], task_of(), folder, prepared / "qlike", Origin("0123abcd", "1"))
    order, days = small(load_params()), folder / "days"
    days.mkdir()
    write(order, [market(520)], days)
    model = parts.build(order, days)
    assert isinstance(model, Scheduler)
    export("schedule", order, model, days, folder / "schedule")
    package(folder / "schedule", order, folder, days, Origin("0123abcd", "1"))
    return folder


@pytest.fixture(scope="session")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[control.Server]:
    """A server without a proxy."""
    pytest.importorskip("ts")
    folder = tmp_path_factory.mktemp("page")
    try:
        yield control.up(store, folder, 0, mlflow="http://127.0.0.1:5000")
    finally:
        control.down(folder)
