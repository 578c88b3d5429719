"""The two messages and two methods of TorchServe's gRPC interface (inference.proto) that a client needs."""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "org.pytorch.serve.grpc.inference"
PREDICT: Final = f"/{PACKAGE}.InferenceAPIsService/Predictions"
STREAM: Final = f"/{PACKAGE}.InferenceAPIsService/StreamPredictions"
_FIELD: Final = descriptor_pb2.FieldDescriptorProto


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="seqline/inference.proto", package=PACKAGE, syntax="proto3")
    request = file.message_type.add(name="PredictionsRequest")
    _add(request, "model_name", 1, _FIELD.TYPE_STRING)
    entry = request.nested_type.add(name="InputEntry", options=descriptor_pb2.MessageOptions(map_entry=True))
    _add(entry, "key", 1, _FIELD.TYPE_STRING)
    _add(entry, "value", 2, _FIELD.TYPE_BYTES)
    inputs = _add(request, "input", 3, _FIELD.TYPE_MESSAGE)
    inputs.label, inputs.type_name = _FIELD.LABEL_REPEATED, f".{PACKAGE}.PredictionsRequest.InputEntry"
    _add(file.message_type.add(name="PredictionResponse"), "prediction", 1, _FIELD.TYPE_BYTES)
    return file


def _add(message: Any, name: str, number: int, kind: Any) -> Any:
    return message.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())
PredictionsRequest: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.PredictionsRequest"))
PredictionResponse: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.PredictionResponse"))


def encode(request: tuple[str, bytes]) -> bytes:
    """Serialize a model's name and a body to TorchServe's request message."""
    model, body = request
    message: bytes = PredictionsRequest(model_name=model, input={"body": body}).SerializeToString()
    return message


def decode(message: bytes) -> bytes:
    """Extract the body from TorchServe's response message."""
    body: bytes = PredictionResponse.FromString(message).prediction
    return body
