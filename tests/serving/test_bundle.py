import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from asking import WriteVectors

from serving.bundle import MANIFEST, Bundle, BundleError, Decoding
from serving.predictor import load_predictor
from serving.predictors.classification import Classifier


@pytest.fixture
def folder(bundles: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(bundles["classification"], tmp_path / "bundle")


def edit(folder: Path, **changes: object) -> None:
    content = json.loads((folder / MANIFEST).read_text()) | changes
    (folder / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize("kind", ["classification", "generation", "translation", "vectors"])
def test_a_written_bundle_can_be_loaded(bundles: dict[str, Path], kind: str) -> None:
    bundle = Bundle.load(bundles[kind])
    assert bundle.kind == kind
    assert Bundle.model_validate_json(bundle.model_dump_json()) == bundle


def test_a_changed_file_is_refused_before_it_is_opened(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"not ONNX at all")
    with pytest.raises(BundleError, match=r"model\.onnx is not the file that was exported"):
        load_predictor(folder)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", MANIFEST])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "regression"}, "kind"),
        ({"max_length": 0}, "max_length"),
        ({"colour": "blue"}, "colour"),
        ({"labels": []}, "labels"),
        ({"labels": ["Irish", "Irish"]}, "Irish is duplicated"),
        ({"decoding": {"num_beams": 5, "length_penalty": 1.0}}, "decoding"),
        ({"files": {}}, "missing"),
        ({"files": {"../secret": "0" * 64}}, "files"),
        ({"files": {"a/../../secret": "0" * 64}}, "files"),
        ({"files": {"/secret": "0" * 64}}, "files"),
        ({"methods": ["glove"]}, "methods"),
    ],
)
def test_an_invalid_manifest_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    edit(folder, **changes)
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)


def test_write_checks_the_files(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"tokenizer\.json is missing"):
        Bundle.write(folder, task="surname", kind="classification", labels=("Irish",), max_length=20)


def test_additional_files_are_recorded(folder: Path) -> None:
    (folder / "model.onnx.data").write_bytes(b"weights of a large model")
    Bundle.write(folder, task="surname", kind="classification", labels=("Irish",), max_length=20)
    (folder / "model.onnx.data").write_bytes(b"other weights")
    with pytest.raises(BundleError, match=r"model\.onnx\.data"):
        Bundle.load(folder)


@pytest.mark.parametrize("name", ["vectors.npy", "vocabulary.json", "provenance.json", "ngrams.npy", "subwords.json"])
def test_word_vectors_need_all_their_files(write_vectors: WriteVectors, name: str) -> None:
    folder = write_vectors(shortest=3)
    (folder / "random" / name).unlink()
    with pytest.raises(BundleError, match=f"random/{name} is missing"):
        Bundle.write(folder, task="vectors", kind="vectors", methods=("random",), max_length=20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("king",)}, "labels"),
        ({"decoding": Decoding(num_beams=1, length_penalty=1)}, "decoding"),
        ({"methods": ()}, "methods"),
        ({"methods": ("random", "random")}, "random is duplicated"),
        ({"methods": ("random", "other")}, r"other/vectors\.npy.* is missing"),
        ({"methods": ("../random",)}, "methods"),
    ],
)
def test_word_vectors_have_methods_but_neither_labels_nor_decoding(plain: Path, changes: dict[str, Any], message: str) -> None:
    described: dict[str, Any] = {"task": "vectors", "kind": "vectors", "methods": ("random",), "max_length": 20}
    with pytest.raises(BundleError, match=message):
        Bundle.write(plain, **(described | changes))


def test_a_predictor_refuses_a_bundle_of_another_kind(bundles: dict[str, Path]) -> None:
    with pytest.raises(BundleError, match="a classification bundle is needed"):
        Classifier.load(bundles["generation"])


def test_decoding_has_the_limits_of_the_contract() -> None:
    with pytest.raises(ValueError, match="num_beams"):
        Decoding(num_beams=11, length_penalty=1.0)
