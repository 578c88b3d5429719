"""An invalid params.yaml is rejected with one line that says what to write instead."""

from pathlib import Path

import pytest

from pipelines.settings.params import Params, load_params
from pipelines.stage import StageError

GOOD = Path("params.yaml").read_text(encoding="utf-8")


def test_the_projects_own_file_is_valid() -> None:
    assert isinstance(load_params(), Params)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("      epochs:", "      epohcs:", "unknown key 'tasks.surname.train.epohcs'; did you mean 'epochs'?"),
        ("      epochs:", "      epohcs:", "key 'tasks.surname.train.epochs' is missing"),
        ("tasks:", "task:", "unknown key 'task'; did you mean 'tasks'?"),
        (
            "surname:",
            "Surname:",
            "tasks.Surname is not a valid name: use lowercase letters, digits and single hyphens between them",
        ),
        ("  names:", "  brown:", "brown: the name is used twice"),
        (
            "kind: generation",
            "kind: generator",
            "tasks.names.kind = 'generator'; did you mean 'generation'?",
        ),
        ("    kind: generation\n", "", "key 'tasks.names.kind' is missing"),
        (
            "units: words",
            "units: word",
            "tasks.sentiment.units = 'word'; did you mean 'words'? (valid: characters, subwords",
        ),
        (
            "vectors: vectors/glove-6b",
            "vectors: vectors/glove-6",
            "data.vectors refers to 'vectors/glove-6', which does not exist; did you mean 'vectors/glove-6b'?",
        ),
        ("algorithm: cbow", "algorithm: c-bow", "methods.cbow.algorithm = 'c-bow'; did you mean 'cbow'?"),
        ("    window: 5", "    windows: 5", "unknown key 'methods.skip-gram.windows'; did you mean 'window'?"),
        (
            "data: prepared/brown",
            "data: prepared/browns",
            "ngram-lm.data refers to 'browns', which does not exist; did you mean 'brown'?",
        ),
        (
            "known: vectors/glove-6b",
            "known: vectors/elmo",
            "vectors.vectors.export.known refers to 'vectors/elmo', which does not exist; did you mean ",
        ),
        (
            "    vectors: vectors #",
            "    vectors: vector #",
            "methods.one-hot.vectors refers to 'vector', which does not exist; did you mean 'vectors'?",
        ),
        ("device: auto", "device: gpu", "device = 'gpu': must be 'auto', 'cpu' or 'cuda'"),
        ("dropout: 0.", "dropout: 1.", "tasks.surname.model.input_dropout = 1."),
        ("hidden_size: 64", "hidden_size: '64'", "tasks.surname.model.hidden_size = '64': input should be a valid integer"),
        ("hidden_size: 64", "hidden_size: 0", "tasks.surname.model.hidden_size = 0: input should be greater than 0"),
        (
            "target: en",
            "target: fr",
            "tasks.fr-en.prepare.target = 'fr': the source is the same language",
        ),
        (
            "source: fr",
            "source: french",
            "tasks.fr-en.prepare.source = 'french': a language is named by its tag, as in fr",
        ),
        ("      source: fr", "      sources: fr", "unknown key 'tasks.fr-en.prepare.sources'; did you mean 'source'?"),
        (
            "set: debian-stories-fr-en",
            "set: multi30k",
            "tasks.fr-en.data.set refers to 'multi30k', which does not exist (valid: surnames17, debian-stories-fr-en, ",
        ),
        (
            "storage: /tmp",
            "storage: tmp",
            "cluster.storage = 'tmp/seqline': must be the absolute path of a folder, or s3://",
        ),
        ("gpus_per_worker: 0", "gpus_per_worker: 2", "cluster.gpus_per_worker = 2: must be 0 or 1"),
        ("form: comovers", "form: comover", "corpora.comovers.form = 'comover'; did you mean 'comovers'?"),
        ("threshold: 0.7", "threshold: 0.0", "corpora.comovers.prepare.threshold = 0.0: input should be greater than 0"),
        ('until: "2010-01-01"', 'until: "2010"', "corpora.comovers.prepare.until = '2010': write a date as 2018-12-31"),
        ('until: "2010-01-01"', "until: 2010", "corpora.comovers.prepare.until = 2010: "),
        (
            'until: "2010-01-01" # end of',
            'until: "2010-01-02" # end of',
            "vectors.tickers.evaluate.until is 2010-01-01, and corpora.comovers.prepare.until is 2010-01-02: "
            "the vectors would be evaluated on days that they were trained on",
        ),
        (
            "questions: comovements",
            "questions: comovement",
            "vectors.tickers.evaluate.questions = 'comovement'; did you mean 'comovements'?",
        ),
        (
            "set: stock-prices\n      corpus",
            "set: stock-price\n      corpus",
            "vectors.tickers.evaluate.set refers to 'stock-price', which does not exist; did you mean 'stock-prices'?",
        ),
        (
            "unknown: unwatchably",
            "unknown: none",
            "vectors.vectors: examples.unknown is none, but vectors/fasttext has vectors of unknown words; name one",
        ),
        ("surname:", "surname: [", "is not valid YAML"),
    ],
)
def test_errors_name_the_wrong_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StageError) as error:
        load_params(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_task_is_reported_with_the_closest_name(small_params: Params) -> None:
    with pytest.raises(StageError, match="did you mean 'surname'"):
        small_params.task("surnames")


def test_the_data_sets_of_sentiment_include_the_pretrained_vectors() -> None:
    assert load_params().described("sentiment")[1] == ["rotten-tomatoes", "glove-6b-50d"]
