"""The shipped catalogue is valid; an invalid one is refused with a message that names the place."""

import re
from pathlib import Path

import pytest

from pipelines.data.catalogue import DataSet, find_data_set, load_catalogue
from pipelines.data.reading.rows import sources_of
from pipelines.data.series.source import sources_of_series
from pipelines.paths import CATALOGUE
from pipelines.stage import StageError
from pipelines.stages.download import verify

ROOT = Path(__file__).parents[3]
VALID = """
letters:
  title: Letters
  licence: none stated
  citation: nobody
  redistributable: false
  files:
    - {name: a.txt, size: 1, sha256: SHA, sources: [{kind: https, url: "https://example.org/a.txt"}]}
""".replace("SHA", "a" * 64)


@pytest.fixture
def shipped() -> dict[str, DataSet]:
    return load_catalogue(ROOT / CATALOGUE)


def load(tmp_path: Path, text: str) -> dict[str, DataSet]:
    path = tmp_path / "catalogue.yaml"
    path.write_text(text, encoding="utf-8")
    return load_catalogue(path)


def test_shipped_catalogue_lists_every_file_once_per_folder(shipped: dict[str, DataSet]) -> None:
    assert set(shipped) >= {
        "surnames17",
        "debian-fr-en",
        "names18",
        "multi30k-fr-en",
        "tatoeba-fr-en",
        "glove-6b-50d",
        "word-relations",
        "brown",
        "sst",
    }
    for data_set in shipped.values():
        names = [file.name for file in data_set.files]
        assert len(names) == len(set(names))


def test_embedded_files_are_redistributable_and_match_the_catalogue(shipped: dict[str, DataSet]) -> None:
    for data_set in shipped.values():
        for file in data_set.files:
            embedded = [source for source in file.sources if source.kind == "embedded"]
            assert bool(embedded) == data_set.redistributable
            for source in embedded:
                verify(ROOT / source.path, file)


def test_unknown_data_set_error_names_the_closest_and_all_others(shipped: dict[str, DataSet]) -> None:
    with pytest.raises(StageError, match=r"'names81'; did you mean 'names18'\? .*debian-fr-en"):
        find_data_set(shipped, "names81")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("title:", "titel:", r"letters\.titel"),
        ("a" * 64, "a" * 63, r"letters\.files\.0\.sha256"),
        ("size: 1", "size: 0", r"letters\.files\.0\.size"),
        ("a.txt, size", "../a.txt, size", r"letters\.files\.0\.name"),
        ("https://", "http://", r"letters\.files\.0\.sources\.0\.url"),
        (
            "kind: https",
            "kind: gopher",
            r"letters\.files\.0\.sources\.0\.kind = 'gopher' .valid: https, pip, sdist",
        ),
        ('{kind: https, url: "https://example.org/a.txt"}', "", r"letters\.files\.0\.sources"),
        ("letters:", "letters: [", "not valid YAML"),
    ],
)
def test_invalid_entry_is_refused_naming_the_key(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert load(tmp_path, VALID)["letters"].files[0].size == 1
    with pytest.raises(StageError, match=message):
        load(tmp_path, VALID.replace(right, wrong))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (file,) = (line for line in VALID.splitlines() if "a.txt" in line)
    with pytest.raises(StageError, match=r"letters: .*a\.txt is the name of more than one file"):
        load(tmp_path, f"{VALID}{file}\n")


@pytest.mark.parametrize(
    ("pip", "key"),
    [
        ("requirement: --index-url==1", "requirement"),
        ("requirement: a==1, tag: cp311-cp311", "tag"),
        ("requirement: a==1, tag: cp311-cp311-linux_x86_64 --pre", "tag"),
    ],
)
def test_pip_source_cannot_carry_an_option(tmp_path: Path, pip: str, key: str) -> None:
    source = f"{{kind: pip, {pip}}}"
    with pytest.raises(StageError, match=rf"sources\.0\.{key}"):
        load(tmp_path, VALID.replace('{kind: https, url: "https://example.org/a.txt"}', source))


def test_all_rows_of_the_shipped_catalogue_can_be_read(shipped: dict[str, DataSet]) -> None:
    for name, data_set in shipped.items():
        if any(keys["format"] == "series" for keys in data_set.rows):
            assert all(source.time for source in sources_of_series(data_set, name))
        elif data_set.rows:
            assert all(source.splits for source in sources_of(data_set, name))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "letters.rows.0: key 'format' is missing"),
        ({"format": "csw", "file": "a"}, "format = 'csw'; did you mean 'csv'?"),
        ({"format": "csv", "file": "a", "delimeter": ";"}, "unknown key 'delimeter'; did you mean 'delimiter'?"),
        ({"format": "csv", "file": "a", "columns": {"txt": "b"}}, "columns.txt"),
    ],
)
def test_invalid_rows_are_refused_naming_the_key(shipped: dict[str, DataSet], keys: dict[str, str], message: str) -> None:
    letters = shipped["brown"].model_copy(update={"rows": (keys,)})
    with pytest.raises(StageError, match=re.escape(message)):
        sources_of(letters, "letters")
    with pytest.raises(StageError, match="the catalogue does not say how to read rows of letters"):
        sources_of(letters.model_copy(update={"rows": ()}), "letters")
