"""A wrong params.yaml is refused in a line that says what to write instead."""

from pathlib import Path

import pytest

from pipelines.params import Params, load_params
from pipelines.stage import StageError

GOOD = Path("params.yaml").read_text(encoding="utf-8")


def test_the_projects_own_file_is_valid() -> None:
    assert isinstance(load_params(), Params)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    epochs:", "    epohcs:", "unknown key 'surname.train.epohcs'; did you mean 'epochs'?"),
        ("    epochs:", "    epohcs:", "key 'surname.train.epochs' is missing"),
        ("surname:", "surnam:", "unknown key 'surnam'; did you mean 'surname'?"),
        ("device: auto", "device: gpu", "device = 'gpu': must be 'auto', 'cpu' or 'cuda'"),
        ("dropout: 0.", "dropout: 1.", "surname.model.input_dropout = 1."),
        ("hidden_size: 128", "hidden_size: '128'", "surname.model.hidden_size = '128': input should be a valid integer"),
        ("hidden_size: 128", "hidden_size: 0", "surname.model.hidden_size = 0: input should be greater than 0"),
        (
            "target: en",
            "target: fr",
            "fr-en.prepare.target = 'fr': value error, the source is the same; one has to be 'fr'",
        ),
        ("target: en", "target: de", "fr-en.prepare.target = 'de': must be 'fr' or 'en'"),
        ("source: fr", "source: french", "fr-en.prepare.source = 'french': must be 'fr' or 'en'"),
        ("    source: fr", "    sources: fr", "unknown key 'fr-en.prepare.sources'; did you mean 'source'?"),
        (
            "dataset: debian-stories-fr-en",
            "dataset: multi30k",
            "fr-en.dataset = 'multi30k': must be 'debian-stories-fr-en', ",
        ),
        (
            "storage: /tmp",
            "storage: tmp",
            "cluster.storage = 'tmp/seqline': value error, has to be a folder's absolute path, or s3://",
        ),
        ("gpus_per_worker: 0", "gpus_per_worker: 2", "cluster.gpus_per_worker = 2: must be 0 or 1"),
        ("surname:", "surname: [", "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StageError) as error:
        load_params(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_task_is_answered_with_the_closest(small_params: Params) -> None:
    with pytest.raises(StageError, match="did you mean 'surname'"):
        small_params.task("surnames")


def test_what_sentiment_is_made_from_includes_the_pretrained_vectors() -> None:
    assert load_params().described("sentiment")[1] == ["rotten-tomatoes", "glove-6b-50d"]
