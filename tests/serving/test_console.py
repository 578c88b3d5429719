"""How the serving commands fail, without a server."""

import sqlite3

import pytest
from typer.testing import CliRunner

from serving.verbs import app


def test_records_that_cannot_be_read_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("serving.server.trials.shadow.compare", compare)
    done = CliRunner().invoke(app, ["shadow", "m"])
    assert (done.exit_code, done.stderr) == (1, "error: the file of records cannot be used: database is locked\n")


def test_a_report_takes_no_share() -> None:
    done = CliRunner().invoke(app, ["shadow", "m", "--share", "0.5"])
    assert (done.exit_code, done.stderr) == (1, "error: --share is for a new shadow: `seqline shadow m@challenger --share 0.5`\n")
