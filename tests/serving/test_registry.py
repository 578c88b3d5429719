"""Models found by alias or number in a real MLflow registry, in a file and on a server."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_servers import TrackingServer
from registering import point, register, tags

from serving.registry import Registered, Registry
from serving.server.errors import ControlError
from serving.server.ports import free_port

pytest.importorskip("mlflow")


def made(folder: Path) -> Path:
    """What stands for an archive, and for the file with its sha256."""
    (folder / "surname.sha256").write_text("its sha256")
    path = folder / "surname.mar"
    path.write_text("an archive")
    return path


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry in a file: version 1 with an archive is the champion, and version 2 has none."""
    root = tmp_path_factory.mktemp("registry")
    before = Path.cwd()
    os.chdir(root)  # MLflow puts artifacts there
    uri = f"sqlite:///{root}/mlflow.db"
    try:
        point(uri, "surname", "champion", register(uri, "surname", made(root), "1-0a1b2c3d"))
        register(uri, "surname")
        yield uri
    finally:
        os.chdir(before)


@pytest.mark.parametrize("which", ["champion", "1"])
def test_a_version_is_found_by_alias_and_by_number(local: str, which: str) -> None:
    found = Registry(local).find("surname", which)
    assert found == Registered("surname", "1", found.run_id, "1-0a1b2c3d")


@pytest.mark.parametrize("which", ["challenger", "3", "", "0x1"])
def test_an_unknown_version_is_an_error_that_names_the_known_ones(local: str, which: str) -> None:
    with pytest.raises(ControlError, match=rf"^surname has no version {which}; there is 1, 2, champion \(1\)$"):
        Registry(local).find("surname", which)


def test_an_unknown_task_is_an_error(local: str) -> None:
    with pytest.raises(ControlError, match=r"mlflow\.db has no model of the task surnam; `make repro` registers one"):
        Registry(local).find("surnam", "1")


def test_a_version_without_an_archive_is_an_error(local: str, tmp_path: Path) -> None:
    registry = Registry(local)
    with pytest.raises(ControlError, match="version 2 of surname has no archive"):
        registry.fetch(registry.find("surname", "2"), tmp_path)


def test_no_registry_is_an_error_and_creates_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ControlError, match=r"^there is no registry in mlflow\.db; name another with --tracking"):
        Registry().find("surname", "champion")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["http://user:secret@127.0.0.1:{}", "nonsense://user:secret@somewhere"])
def test_a_registry_that_does_not_answer_is_an_error_in_one_line_without_a_password(uri: str) -> None:
    with pytest.raises(ControlError, match=r"^the registry at \w+://(127|somewhere).* failed: ") as caught:
        Registry(uri.format(free_port())).find("surname", "champion")
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)


def test_without_mlflow_the_error_names_the_extra(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ControlError, match=r"pip install 'seqline\[registry\]'"):
        Registry(local).find("surname", "champion")


@pytest.mark.timeout(180)
def test_an_archive_is_fetched_from_a_server_and_its_version_tagged(tmp_path: Path) -> None:
    server = TrackingServer(tmp_path, str(tmp_path / "artifacts"), {})
    server.start()
    try:
        point(server.url, "surname", "champion", register(server.url, "surname", made(tmp_path), "1-0a1b2c3d"))
        registry = Registry(server.url)
        found = registry.find("surname", "champion")
        path = registry.fetch(found, tmp_path / "fetched")
        assert (path.name, path.read_text()) == ("surname.mar", "an archive")
        assert path.with_suffix(".sha256").read_text() == "its sha256"
        registry.tag(found, "canary", '{"passed": true}')
        assert tags(server.url, "surname", "1")["canary"] == '{"passed": true}'
    finally:
        server.kill()
