"""Reads data sets in their published formats; and the catalogue's entries for embedded data."""

import io
import tarfile
from pathlib import Path

import pytest

from pipelines.data.catalogue import load_catalogue
from pipelines.data.reading.published import MEAN_RATINGS, Brown, NameLists, Ratings, Trees
from pipelines.data.reading.rows import sources_of
from pipelines.data.reading.source import Row
from pipelines.paths import CATALOGUE
from pipelines.stage import StageError

EMBEDDED = Path("data/embedded")
RATED = [
    "1\t2.5\tNot a dull moment &amp; a fine cast!",
    "2\t-0.6\tEffective but too tepid biopic",
    "3\t0.0\tNeither here nor there.",
]
TREES = [
    "(3 (2 It) (4 (2 's) (4 (3 lovely) (2 -LRB-))))",
    "(1 (2 I) (1 (1 (2 do) (2 n't)) (1 (2 like) (2 it))))",
    "(2 (2 A) (2 film))",
]


def test_ratings_become_labels_and_zero_means_are_dropped(tmp_path: Path) -> None:
    content = "".join(f"{line}\n" for line in RATED).encode()
    with tarfile.open(tmp_path / "ratings.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo(MEAN_RATINGS)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    assert list(Ratings(format="ratings", file="ratings.tar.gz").rows(tmp_path)) == [
        Row(text="Not a dull moment & a fine cast!", label="positive"),
        Row(text="Effective but too tepid biopic", label="negative"),
    ]


def test_trees_give_their_sentences_or_every_phrase(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join(TREES), encoding="utf-8")
    found = {
        phrases: [(row.text, row.label) for row in Trees(format="trees", file="train.txt", phrases=phrases).rows(tmp_path)]
        for phrases in (False, True)
    }
    assert found[False] == [("It's lovely ", "positive"), ("I don't like it", "negative")]
    assert found[True] == [
        ("lovely", "positive"),
        ("lovely ", "positive"),
        ("'s lovely ", "positive"),
        ("It's lovely ", "positive"),
        ("don't", "negative"),
        ("like it", "negative"),
        ("don't like it", "negative"),
        ("I don't like it", "negative"),
    ]


def test_surnames_are_read_from_source_code_without_running_it(tmp_path: Path) -> None:
    for locale in ("faker/providers/person/pl_PL", "mimesis/datasets/pl"):
        (tmp_path / locale).mkdir(parents=True)
    catalogue = load_catalogue(CATALOGUE)
    (source,) = sources_of(catalogue["surnames17"], "surnames17")
    assert isinstance(source, NameLists)
    with pytest.raises(FileNotFoundError):
        list(source.rows(tmp_path))


@pytest.fixture
def brown(tmp_path: Path) -> Path:
    """Two texts in the corpus's format, and its README."""
    texts = tmp_path / "brown"
    texts.mkdir()
    (texts / "README").write_text("no/at text/nn\n")
    (texts / "cb01").write_text("\n\n\tHe/pps paid/vbd 1/2/cd \n\n")
    (texts / "ca02").write_text("\n\n\tThe/at jury/nn said/vbd ./.\nIt/pps did/dod ./.\n\n\n\n\tHeadline/nn-hl \n")
    return tmp_path


def test_the_brown_corpus_is_in_order_with_one_paragraph_per_line(brown: Path) -> None:
    found = [row.text for row in Brown(format="brown", file="").rows(brown)]
    assert found == ["The jury said . It did .\nHeadline", "He paid 1/2"]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="has no texts of the Brown corpus"):
        list(Brown(format="brown", file="").rows(tmp_path))


@pytest.mark.parametrize("token", ["untagged", "/nn"])
def test_a_token_without_word_or_tag_is_an_error(brown: Path, token: str) -> None:
    (brown / "brown" / "ca01").write_text(f"\n\tThe/at {token}\n")
    with pytest.raises(StageError, match=f"ca01: '{token}' is not a word with a tag"):
        list(Brown(format="brown", file="").rows(brown))


# The real files


def test_the_embedded_corpora_are_read_as_sentences_and_entries() -> None:
    sources = sources_of(load_catalogue(CATALOGUE)["debian-stories-fr-en"], "debian-stories-fr-en")
    descriptions, stories, entries = (list(one.rows(EMBEDDED)) for one in sources)
    assert len(descriptions) > 60_000
    assert len({row.group for row in descriptions}) == 19_439
    assert len(stories) > 30_000
    assert len(entries) > 15_000
    assert all(row.source and row.target for row in (*descriptions, *stories, *entries))
    assert ("chat", "cat") in {(row.source, row.target) for row in entries}


def test_embedded_data_is_small() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED.glob("*.gz")) <= 8 * 10**6
