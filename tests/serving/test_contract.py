import gzip
import json
from collections.abc import Callable

import pytest

from models.text.closest import closest_name
from serving.contract.body import parse_body
from serving.contract.faults import ErrorDetail, RequestError, shown
from serving.contract.requests import Request, parse_request
from serving.endpoints.classification.contract import ClassificationRequest
from serving.endpoints.generation.contract import GenerationRequest
from serving.endpoints.translation.contract import TranslationRequest
from serving.endpoints.vectors.contract import VectorsRequest

BODIES: list[tuple[object, str]] = [
    (b"", "empty_body"),
    (bytearray(b" \n"), "empty_body"),
    (None, "empty_body"),
    ("", "empty_body"),
    (b'{"inputs": "Rossi"', "invalid_json"),
    (b'{"inputs": NaN}', "invalid_json"),
    (b'{"inputs": -Infinity}', "invalid_json"),
    (b"[" * 100_000, "invalid_json"),
    (b'{"inputs": ' + b"9" * 5000 + b"}", "invalid_json"),
    ("Rossi", "invalid_json"),
    (b'{"inputs": "Jos\xe9"}', "not_utf8"),
    (b'{"inputs": "\\ud800"}', "not_utf8"),
    (b'{"inputs": "a", "\\ud800": 1}', "not_utf8"),
    (b'{"inputs": "a", "parameters": {"\\ud800": 1}}', "not_utf8"),
    (b'"Rossi"', "invalid_request"),
    (["Rossi"], "invalid_request"),
    (3.5, "invalid_request"),
    (True, "invalid_request"),
    ({}, "missing_inputs"),
    ({"text": "Rossi"}, "missing_inputs"),
    ({"inputs": None}, "invalid_inputs"),
    ({"inputs": 3}, "invalid_inputs"),
    ({"inputs": float("nan")}, "invalid_inputs"),
    ({"inputs": []}, "invalid_inputs"),
    ({"inputs": ["a"] * 65}, "invalid_inputs"),
    ({"inputs": ["a", ["b"]]}, "invalid_inputs"),
    ({"inputs": "a", "input": "b"}, "unknown_field"),
    ({"inputs": "a", "seed": 1}, "unknown_field"),
    ({"inputs": "a", "parameters": None}, "invalid_parameter"),
    ({"inputs": "a", "parameters": []}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"temprature": 1}}, "unknown_parameter"),
    ({"inputs": "a", "parameters": {"temperature": -0.1}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"temperature": float("nan")}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"temperature": "1"}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"top_k": 0}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"top_k": True}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"top_p": 0}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"top_p": 1.01}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"seed": -1}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"seed": 10**400}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"num_return_sequences": 17}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"label": {"a": 1}}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"top_n_tokens": 0}}, "invalid_parameter"),
    ({"inputs": "a", "parameters": {"top_n_tokens": 21}}, "invalid_parameter"),
]


def fault(body: object, request: type[Request] = GenerationRequest) -> ErrorDetail:
    with pytest.raises(RequestError) as caught:
        parse_request(request, parse_body(body))
    return caught.value.detail


@pytest.mark.parametrize(("body", "code"), BODIES, ids=lambda value: shown(value) if isinstance(value, str) else None)
def test_a_bad_body_gets_the_right_code(body: object, code: str) -> None:
    detail = fault(body)
    assert detail.code == code
    json.dumps(detail.model_dump(), ensure_ascii=False).encode()
    assert len(detail.message) < 250


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"num_beams": 11}, "num_beams"),
        ({"num_beams": 0}, "num_beams"),
        ({"num_beams": 2.5}, "2.5"),
        ({"length_penalty": 2.1}, "length_penalty"),
        ({"num_return_sequences": 0}, "num_return_sequences"),
        ({"attention": 1}, "attention"),
        ({"attention": "yes" * 50}, "..."),
        ({"num_beam": 3}, 'did you mean "num_beams"?'),
    ],
)
def test_translation_parameters_are_checked(parameters: dict[str, object], message: str) -> None:
    assert message in fault({"inputs": "a", "parameters": parameters}, TranslationRequest).message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"top_k": 0}, "top_k"),
        ({"top_k": 101}, "101"),
        ({"top_k": "5"}, "top_k"),
        ({"top_k": None}, "null"),
        ({"question": "nearest word"}, "'nearest', 'similarity', 'analogy', 'map' or 'context'"),
        ({"question": ["nearest"]}, "a list"),
        ({"questions": "analogy"}, 'did you mean "question"?'),
        ({"question": "context", "layer": 3}, "layer"),
    ],
)
def test_parameters_of_word_vectors_are_checked(parameters: dict[str, object], message: str) -> None:
    assert message in fault({"inputs": "a", "parameters": parameters}, VectorsRequest).message


def test_an_object_with_many_keys_is_read_once() -> None:
    keys = ", ".join(f'"{i}": 0' for i in range(200_000))  # quadratic time would take hours
    detail = fault(f'{{{keys}, "199999": 1}}')
    assert (detail.code, "duplicate key" in detail.message) == ("invalid_json", True)


@pytest.mark.parametrize("compress", [gzip.compress, lambda body: b"\x28\xb5\x2f\xfd" + body])
def test_a_compressed_body_is_refused(compress: Callable[[bytes], bytes]) -> None:
    assert fault(compress(b'{"inputs": "a"}')).code == "encoded_body"


@pytest.mark.parametrize(
    ("name", "valid", "near"),
    [
        ("Klingon", ["Italian", "Irish", "English"], None),
        ("Italien", ["Italian", "Irish", "English"], "Italian"),
        ("temprature", ["temperature", "top_k"], "temperature"),
        ("x", ["top_k", "top_p"], None),
    ],
)
def test_a_hint_is_given_only_for_a_close_name(name: str, valid: list[str], near: str | None) -> None:
    assert closest_name(name, valid) == near


def test_the_closest_name_is_suggested() -> None:
    assert 'did you mean "temperature"?' in fault({"inputs": "a", "parameters": {"temprature": 1}}).message
    assert 'did you mean "inputs"?' in fault({"inputs": "a", "imputs": 1}).message
    assert 'inside "parameters"' in fault({"inputs": "a", "seed": 1}).message


def test_the_faulty_input_is_named_only_in_a_list() -> None:
    assert fault({"inputs": ["a", "b", 3]}).input == 2
    assert fault({"inputs": ["a", "\ud800"]}).input == 1
    assert fault({"inputs": "\ud800"}).input is None


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"inputs": "a"}', bytearray(b'{"inputs": "a"}'), '{"inputs": "a"}', {"inputs": "a", "parameters": {}}]
)
def test_bodies_of_every_transport_are_read(body: object) -> None:
    request = parse_request(ClassificationRequest, parse_body(body))
    assert request.inputs == "a"
    assert request.parameters.top_k == 5


@pytest.mark.parametrize("request_type", [ClassificationRequest, GenerationRequest, TranslationRequest, VectorsRequest])
def test_every_parameter_description_states_its_default(request_type: type[Request]) -> None:
    fields = type(request_type.model_fields["parameters"].default).model_fields.values()
    assert all("default" in (field.description or "") for field in fields)


@pytest.mark.parametrize(
    ("parameters", "message"), [({"explain": 1}, "explain"), ({"explain": None}, "null"), ({"explained": True}, '"explain"?')]
)
def test_parameters_of_classification_are_checked(parameters: dict[str, object], message: str) -> None:
    assert message in fault({"inputs": "a", "parameters": parameters}, ClassificationRequest).message
