import json

import pytest

from serving.body import parse_body
from serving.contract import ClassificationRequest, GenerationRequest, TranslationRequest, VectorsRequest, parse_request
from serving.faults import RequestError, shown

BODIES = [
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
]


def fault(body, request=GenerationRequest):
    with pytest.raises(RequestError) as caught:
        parse_request(request, parse_body(body))
    return caught.value.detail


@pytest.mark.parametrize(("body", "code"), BODIES, ids=lambda value: shown(value) if isinstance(value, str) else None)
def test_a_bad_body_has_its_code(body, code):
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
def test_translation_parameters_are_checked(parameters, message):
    assert message in fault({"inputs": "a", "parameters": parameters}, TranslationRequest).message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"top_k": 0}, "top_k"),
        ({"top_k": 101}, "101"),
        ({"top_k": "5"}, "top_k"),
        ({"top_k": None}, "null"),
        ({"question": "nearest word"}, "'nearest', 'similarity', 'analogy' or 'context'"),
        ({"question": ["nearest"]}, "a list"),
        ({"questions": "analogy"}, 'did you mean "question"?'),
        ({"question": "context", "layer": 3}, "layer"),
    ],
)
def test_parameters_of_word_vectors_are_checked(parameters, message):
    assert message in fault({"inputs": "a", "parameters": parameters}, VectorsRequest).message


def test_the_closest_name_is_offered():
    assert 'did you mean "temperature"?' in fault({"inputs": "a", "parameters": {"temprature": 1}}).message
    assert 'did you mean "inputs"?' in fault({"inputs": "a", "imputs": 1}).message
    assert 'within "parameters"' in fault({"inputs": "a", "seed": 1}).message


def test_the_input_at_fault_is_named_only_in_a_list():
    assert fault({"inputs": ["a", "b", 3]}).input == 2
    assert fault({"inputs": ["a", "\ud800"]}).input == 1
    assert fault({"inputs": "\ud800"}).input is None


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"inputs": "a"}', bytearray(b'{"inputs": "a"}'), '{"inputs": "a"}', {"inputs": "a", "parameters": {}}]
)
def test_every_way_a_transport_delivers_a_request_is_read(body):
    request = parse_request(ClassificationRequest, parse_body(body))
    assert request.inputs == "a"
    assert request.parameters.top_k == 5


@pytest.mark.parametrize("request_type", [ClassificationRequest, GenerationRequest, TranslationRequest, VectorsRequest])
def test_every_parameter_is_described_with_its_default(request_type):
    fields = type(request_type.model_fields["parameters"].default).model_fields.values()
    assert all("default" in (field.description or "") for field in fields)


@pytest.mark.parametrize(
    ("parameters", "message"), [({"explain": 1}, "explain"), ({"explain": None}, "null"), ({"explained": True}, '"explain"?')]
)
def test_parameters_of_classification_are_checked(parameters, message):
    assert message in fault({"inputs": "a", "parameters": parameters}, ClassificationRequest).message
