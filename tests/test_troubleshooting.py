"""Every error message that users can see has a cure on the page on troubleshooting, and every cure has a message."""

from pathlib import Path

import pytest

from pipelines.report import errors as page
from pipelines.report.messages import GAP, Message, codes, messages
from pipelines.stage import StageError

ROOT = Path(__file__).parents[1]
SOURCE = '''
def check(name, path):
    """Raises StageError."""
    if not name:
        raise StageError(f"{path} is missing; " "run it again")
    if name == "passed on":
        raise ControlError(f"{path}: {name}")
    if name == "added":
        fail("one " + name + " two")
    raise KeyError("not for users")
'''


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another file of cures."""
    path = tmp_path / "errors.yaml"
    monkeypatch.setattr(page, "CURES", path)
    return path


def test_every_message_has_a_cure_and_every_cure_a_message() -> None:
    found = page.assigned(page.load())
    assert [entry for entry, about in found.items() if not about] == []


def test_every_code_has_a_cure_and_every_cure_a_code() -> None:
    assert sorted(name for place in page.load() for name in place.codes) == sorted(codes())


def test_what_users_most_often_see_is_found() -> None:
    found = set(messages())
    assert Message("pipelines/verbs.py", "name the data: --data FILE") in found
    assert any(one.path == "Makefile" and one.text.startswith("Python 3.11") for one in found)
    assert any(one.path == "serving/server/proxy.py" and "nginx is not installed" in one.text for one in found)
    assert {"no_key", "not_utf8", "unknown_column", "deadline_exceeded", "plain_http", "invalid_order"} <= codes()


def test_messages_are_joined_and_what_only_passes_on_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/check.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "Makefile").write_text("\t@echo \"error: there is no profile '$*'\" >&2; exit 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipelines.report.messages.SCRIPTS", ("Makefile",))
    texts = [one.text for one in messages()]
    assert sorted(texts) == sorted([f"there is no profile '{GAP}'", f"one {GAP} two", f"{GAP} is missing; run it again"])


def test_a_message_without_a_cure_is_named(other: Path) -> None:
    other.write_text("places: [{title: All, files: {Makefile: Read it.}}]", encoding="utf-8")
    with pytest.raises(StageError, match=r"no cure for '.+' of \w+/"):
        page.assigned(page.load())


def test_the_longest_fitting_part_counts(other: Path) -> None:
    other.write_text(
        'places: [{title: All, files: {"*": {"": Any., there is no: Name it., there is no profile: See profiles.}}}]',
        encoding="utf-8",
    )
    found = page.assigned(page.load())
    (profile,) = found["All", "*", "there is no profile"]
    assert profile.path == "Makefile"
    assert all("there is no" in one.text for one in found["All", "*", "there is no"])
    assert f"`` {profile.text} ``\n:   See profiles." in page.errors()


def test_codes_become_a_table(other: Path) -> None:
    other.write_text(
        'places: [{title: All, files: {"*": Any.}, codes: {no_key: {status: "401", cure: Send a key.}}}]', encoding="utf-8"
    )
    assert "| `no_key` | 401 | Send a key. |" in page.errors()
