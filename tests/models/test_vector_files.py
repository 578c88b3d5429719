"""Vector files: written files are read back by this project and gensim; invalid ones are rejected with file and line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.text.vector_files import VectorFileError, read_binary, read_text, write_binary, write_glove, write_text
from models.text.vectors import WordVectors
from models.text.words import WordVocabulary

Read = Callable[[Path], WordVectors]
Write = Callable[[WordVectors, Path], None]
FORMATS = pytest.mark.parametrize(
    ("read", "write", "binary"), [(read_text, write_text, False), (read_binary, write_binary, True)]
)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n"), min_size=1, max_size=8)


@st.composite
def word_vectors(draw: st.DrawFn) -> WordVectors:
    words = draw(st.lists(WORD, min_size=1, max_size=8, unique=True))
    matrix = draw(arrays.arrays(np.float32, (len(words), draw(st.integers(1, 4))), elements=FINITE))
    return WordVectors(WordVocabulary(words, np.zeros(len(words))), matrix, {})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors") / "v.vec"


def assert_same(words: list[str], matrix: np.ndarray, vectors: WordVectors) -> None:
    assert words == list(vectors.vocabulary.words)
    np.testing.assert_array_equal(matrix, vectors.matrix)


@FORMATS
@given(vectors=word_vectors())
def test_what_is_written_is_read_back_exactly(path: Path, read: Read, write: Write, binary: bool, vectors: WordVectors) -> None:  # noqa: ARG001
    write(vectors, path)
    again = read(path)
    assert_same(list(again.vocabulary.words), again.matrix, vectors)
    assert again.provenance == {"file": "v.vec", "duplicates_skipped": 0}
    assert again.vocabulary.counts.tolist() == [0] * len(vectors.vocabulary)


@FORMATS
@given(vectors=word_vectors())
def test_gensim_reads_what_we_write(path: Path, read: Read, write: Write, binary: bool, vectors: WordVectors) -> None:  # noqa: ARG001
    write(vectors, path)
    theirs = KeyedVectors.load_word2vec_format(str(path), binary=binary)
    assert_same(theirs.index_to_key, theirs.vectors, vectors)


@given(vectors=word_vectors())
def test_gensim_reads_the_format_of_glove(path: Path, vectors: WordVectors) -> None:
    write_glove(vectors, path)
    theirs = KeyedVectors.load_word2vec_format(str(path), binary=False, no_header=True)
    assert_same(theirs.index_to_key, theirs.vectors, vectors)


@FORMATS
@given(vectors=word_vectors())
def test_we_read_what_gensim_writes(path: Path, read: Read, write: Write, binary: bool, vectors: WordVectors) -> None:  # noqa: ARG001
    theirs = KeyedVectors(vectors.matrix.shape[1])
    theirs.add_vectors(list(vectors.vocabulary.words), vectors.matrix)
    theirs.save_word2vec_format(str(path), binary=binary)
    assert_same(theirs.index_to_key, theirs.vectors, read(path))


@pytest.mark.parametrize(
    "text",
    [
        "a 1 2\n\u0085 3 -4e-1\n",
        "\ufeffa 1 2\n\u0085 3 -.4\n",
        "\ufeff2 2\na 1 2\n\u0085 3 -.4\n",
        "a\t1 2\n\u0085\t3\t-.4\t\n",
        "2 2\na 1 2 \n\u0085 3 -.4 \n",
        "2 2\r\na 1 2\r\n\u0085 3 -0.4",
    ],
)
def test_glove_fasttext_and_foreign_line_ends_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "v").write_bytes(text.encode())
    vectors = read_text(tmp_path / "v")
    assert_same(["a", "\u0085"], np.array([[1, 2], [3, -0.4]], dtype=np.float32), vectors)


def test_the_first_of_duplicate_words_is_kept(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"a 1\nb 2\na 3\nc 4\na 5\n")
    vectors = read_text(tmp_path / "v")
    assert_same(["a", "b", "c"], np.array([[1], [2], [4]], dtype=np.float32), vectors)
    assert vectors.provenance["duplicates_skipped"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the file has no vectors"),
        (b"0 5\n", "line 1: the file has no vectors"),
        (b"3 2\na 1 2\nb 1 2\n", "line 1: announces 3 rows, but 2 follow"),
        (b"1 2\na 1 2\nb 1 2\n", "line 1: announces 1 rows, but 2 follow"),
        (b"2 3\na 1 2\nb 1 2\n", "line 2: has 2 values, not 3"),
        (b"2 999999999999\na 1 2\nb 1 2\n", "line 1: 2 rows of 999999999999 values do not fit into"),
        (b"9" * 5000 + b" 2\na 1 2\n", "line 2: has 2 values, not 1"),
        (b"a 1 2\nb 1\n", "line 2: has 1 values, not 2"),
        (b"a 1 2\nnew york 1 2\n", "line 2: has 3 values, not 2"),
        (b"a 1 2\n\nb 1 2\n", "line 2: has 0 values, not 2"),
        (b"a 1 2\n 1 2\n", "line 2: has no word"),
        (b"a 1 2\nb 1 x\n", "line 2: could not convert string to float"),
        (b"a 1 2\nb\xff 1 2\n", r"line 2: the word b'b\\xff' is not UTF-8"),
        (b"1 2\nb 1 nan\n", "line 2: the vector of 'b' has a value that is not finite"),
        (b"a 1 2\na 2 2\nb 1 1e39\n", "line 3: the vector of 'b' has a value that is not finite"),
    ],
)
def test_invalid_text_is_rejected_with_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "v.vec").write_bytes(content)
    with pytest.raises(VectorFileError, match=rf"v\.vec, {message}") as caught:
        read_text(tmp_path / "v.vec")
    assert "\n" not in str(caught.value)


ROW = np.array([1, 2], dtype="<f4").tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: not a header"),
        (b"a " + ROW, "line 1: not a header"),
        (b"0 2\n", "line 1: the file has no vectors"),
        (b"9" * 5000 + b" 2\n", "line 1: not a header"),
        (b"99999999999 2\na " + ROW, "line 1: 99999999999 rows of 2 values do not fit into"),
        (b"2 2\nab " + ROW + b"cdefg " + ROW[:-1], "row 2: the file ends here, but its header announces 2 rows"),
        (b"2 2\nab " + ROW + b"\ncdefghijklmnop", "row 2: the file ends here, but its header announces 2 rows"),
        (b"1 2\na " + ROW + b"\nb " + ROW, "row 2: the file continues, but its header announces 1 rows"),
        (b"2 2\na " + ROW + b"\n " + ROW, "row 2: has no word"),
        (b"1 2\n\xff " + ROW, r"row 1: the word b'\\xff' is not UTF-8"),
        (b"1 2\na " + np.array([1, np.nan], dtype="<f4").tobytes(), "row 1: the vector of 'a' has a value that is not finite"),
    ],
)
def test_invalid_binary_is_rejected_with_file_and_row(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "v.bin").write_bytes(content)
    with pytest.raises(VectorFileError, match=rf"v\.bin, {message}") as caught:
        read_binary(tmp_path / "v.bin")
    assert "\n" not in str(caught.value)


@given(content=st.binary(max_size=60), header=st.sampled_from([b"", b"1 1\n", b"2 3\n"]))
@pytest.mark.parametrize("read", [read_text, read_binary])
def test_any_bytes_are_read_or_rejected(path: Path, read: Read, content: bytes, header: bytes) -> None:
    path.write_bytes(header + content)
    try:
        vectors = read(path)
    except VectorFileError:
        return
    assert np.isfinite(vectors.matrix).all()


@pytest.mark.parametrize("write", [write_text, write_binary])
@pytest.mark.parametrize("word", ["", "new york", "a\tb", "a\nb"])
def test_words_that_the_format_cannot_store_are_rejected(tmp_path: Path, write: Write, word: str) -> None:
    vectors = WordVectors(WordVocabulary([word], [1]), np.ones((1, 2), dtype=np.float32), {})
    with pytest.raises(VectorFileError, match=r"v\.vec: the format cannot store the word"):
        write(vectors, tmp_path / "v.vec")
