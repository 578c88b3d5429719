"""dvc.lock, written one stage at a time, equals DVC's own."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from pipelines.repro.lock import record

STAGES = """
stages:
  no: {cmd: "echo 1 > 'a b'", outs: [a b], params: [yes, n]}
  twice: {cmd: touch twice, outs: [twice], params: [columns, both]}
  each:
    foreach: {x: "it's", "2011-01-01": "on: #"}
    do:
      cmd:
        - echo "${item}" a very long command that is longer than a line of eighty characters, and so is written in two or more
        - cp 'a b' out-${key}
      deps: [a b]
      outs: ['out-${key}']
  last: {cmd: touch last, outs: [last], params: [both]}
"""
# YAML that refers to a part of itself, which DVC writes in the same way.
PARAMS = """
yes: no
n: {a: [1.0e-5, null], b: '1:30'}
columns: [{one: &names [a, b]}, {two: *names}]
both: [&first {c: 1}, &second {c: "&id001"}, *second, *first]
"""


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "params.yaml").write_text(PARAMS)
    made = Repo.init(no_scm=True)
    made.reproduce()
    return made


@pytest.mark.parametrize("missing", [False, True])
def test_each_stage_is_written_as_by_dvc(repo: Repo, tmp_path: Path, missing: bool) -> None:
    lock = tmp_path / "dvc.lock"
    for stage in repo.index.stages:
        if missing:
            lock.unlink()
            for other in repo.index.stages:
                if other is not stage:
                    other.dump(update_pipeline=False)
        before = lock.read_bytes()
        stage.dump(update_pipeline=False)
        expected = lock.read_bytes()
        lock.write_bytes(before)
        record(stage)
        assert lock.read_bytes() == expected
        assert missing == (before != expected)


def test_the_first_stage_creates_the_file_and_other_content_stays(repo: Repo, tmp_path: Path) -> None:
    lock, stages = tmp_path / "dvc.lock", [*repo.index.stages]
    expected = lock.read_bytes()
    lock.unlink()
    for stage in stages:
        record(stage)
    assert sorted(lock.read_text().splitlines()) == sorted(expected.decode().splitlines())
    lock.write_text(expected.decode() + "datasets:\n- name: one\n  type: url\n  url: a\n  lock: {}\n")
    record(stages[-1])
    assert "datasets:\n- name: one\n" in lock.read_text()
