"""The claims of serving/THREATS.md about models and files, and that every test it names exists."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph

import serving
from models.text.vectors import VECTORS, WordVectors
from serving.predictors.session import Session

TESTS = Path(__file__).parents[1]


def graph(node: onnx.NodeProto, *constants: onnx.TensorProto) -> onnx.ModelProto:
    """A graph with one node from x to y."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    made = helper.make_graph([node], "test", ends[:1], ends[1:], list(constants))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("elsewhere", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


def test_a_graph_with_a_custom_operator_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graph(helper.make_node("Neg", ["x"], ["y"])).SerializeToString())
    assert Session(path)(x=np.ones(1, dtype=np.float32))[0] == -1
    path.write_bytes(graph(helper.make_node("Run", ["x"], ["y"], domain="elsewhere")).SerializeToString())
    with pytest.raises((Fail, InvalidGraph), match="elsewhere"):
        Session(path)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname"])
def test_a_graph_that_reads_other_files_does_not_load(location: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    (tmp_path / "model").mkdir()
    constant = onnx.TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "4"}.items():
        constant.external_data.add(key=key, value=value)
    path = tmp_path / "model" / "model.onnx"
    path.write_bytes(graph(helper.make_node("Add", ["x", "c"], ["y"]), constant).SerializeToString())
    with pytest.raises(Exception, match=r"(?i)external|path|escape|directory"):
        Session(path)


def test_arrays_with_objects_are_refused(plain: Path, tmp_path: Path) -> None:
    for file in (plain / "random").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    np.save(tmp_path / VECTORS, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"pickle|objects"):
        WordVectors.load(tmp_path)


def test_every_test_named_on_the_page_exists() -> None:
    page = Path(serving.__file__).with_name("THREATS.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    written = {
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 15
    assert named <= written, named - written
