"""`seqline promote` decides only what it was clearly asked to decide."""

import pytest
from typer.testing import CliRunner

from pipelines.promotion.promote import Decision, Promotion
from pipelines.verbs import app


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The decisions that were asked for: the method of `Promotion`, and its arguments."""
    calls = list[tuple[object, ...]]()

    def record(name: str) -> object:
        def act(_: Promotion, *arguments: str) -> Decision:
            calls.append((name, *arguments))
            return Decision("held" if name == "promote" else "forced", "surname", "2", "1", "as a test wants it")

        return act

    monkeypatch.setattr(Promotion, "__init__", lambda *_: None)
    for name in ("promote", "force", "reject", "back"):
        monkeypatch.setattr(Promotion, name, record(name))
    return calls


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (["surname"], ("promote", "challenger")),
        (["surname@3"], ("promote", "3")),
        (["surname", "--force", "tested by hand"], ("force", "challenger", "tested by hand")),
        (["surname@3", "--force", "tested by hand"], ("force", "3", "tested by hand")),
        (["surname", "--reject", "rude"], ("reject", "rude")),
        (["surname", "--back", "complaints"], ("back", "complaints")),
    ],
)
def test_each_option_is_one_decision(asked: list[tuple[object, ...]], arguments: list[str], call: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["promote", *arguments])
    assert asked == [call]
    assert result.exit_code == (1 if call[0] == "promote" else 0)  # the first was held back


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["surname", "--reject", ""], "take a reason"),
        (["surname", "--force", " "], "take a reason"),
        (["surname", "--back", ""], "take a reason"),
        (["surname@3", "--reject", "rude"], "without @3"),
        (["surname@3", "--back", "complaints"], "without @3"),
        (["surname", "--force", "a", "--back", "b"], "exclude each other"),
    ],
)
def test_what_is_unclear_changes_nothing(
    asked: list[tuple[object, ...]], capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(app, ["promote", *arguments])
    assert result.exit_code == 1
    assert message in result.output + capfd.readouterr().err
    assert asked == []
