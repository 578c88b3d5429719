"""The catalogue: the shipped one is sound, and a wrong one is refused with a message that says where."""

from pathlib import Path

import pytest

from pipelines.catalogue import DataSet, find_data_set, load_catalogue
from pipelines.download import verify
from pipelines.paths import CATALOGUE
from pipelines.stage import StageError

ROOT = Path(__file__).parents[2]
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


def test_shipped_catalogue_names_every_file_once_in_its_folder(shipped: dict[str, DataSet]) -> None:
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


def test_only_what_is_redistributable_is_embedded_and_it_is_what_the_catalogue_says(shipped: dict[str, DataSet]) -> None:
    for data_set in shipped.values():
        for file in data_set.files:
            embedded = [source for source in file.sources if source.kind == "embedded"]
            assert bool(embedded) == data_set.redistributable
            for source in embedded:
                verify(ROOT / source.path, file)


def test_unknown_data_set_names_the_closest_and_all(shipped: dict[str, DataSet]) -> None:
    with pytest.raises(StageError, match=r"'names81'; did you mean 'names18'\? .*debian-fr-en"):
        find_data_set(shipped, "names81")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("title:", "titel:", r"letters\.titel"),
        ("a" * 64, "a" * 63, r"letters\.files\.0\.sha256"),
        ("size: 1", "size: 0", r"letters\.files\.0\.size"),
        ("a.txt, size", "../a.txt, size", r"letters\.files\.0\.name"),
        ("https://", "http://", r"letters\.files\.0\.sources\.0\.https\.url"),
        ("kind: https", "kind: gopher", r"letters\.files\.0\.sources\.0: .*'https', 'pip', 'sdist', 'npm', 'embedded'"),
        ('{kind: https, url: "https://example.org/a.txt"}', "", r"letters\.files\.0\.sources"),
        ("letters:", "letters: [", "not valid YAML"),
    ],
)
def test_wrong_entry_is_refused_by_the_name_of_its_key(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert load(tmp_path, VALID)["letters"].files[0].size == 1
    with pytest.raises(StageError, match=message):
        load(tmp_path, VALID.replace(right, wrong))


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
    with pytest.raises(StageError, match=rf"pip\.{key}"):
        load(tmp_path, VALID.replace('{kind: https, url: "https://example.org/a.txt"}', source))
