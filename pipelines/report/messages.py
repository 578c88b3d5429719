"""The error messages that users can see, taken from the source code."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOMS = ("models", "pipelines", "serving", "lessons")
SCRIPTS = ("Makefile", "docker/secrets.sh")
NGINX = Path("serving/server/nginx.conf")
CONTRACT = ("serving/contract", "serving/endpoints", "serving/client")
RAISED = {
    "ArgumentTypeError",
    "BundleError",
    "ChildProcessError",
    "ControlError",
    "FloatingPointError",
    "MLServerError",
    "SourceError",
    "StageError",
    "SystemExit",
    "ValueError",
    "VectorFileError",
    "WrongContentError",
    "_PassingError",
    "fail",
}
# Functions that compose a message and return it.
COMPOSED = {
    "pipelines/onnx_export/parity.py": "_causes",
    "pipelines/settings/errors.py": "explain",
    "serving/server/archive.py": "wrong_here",
}
WITH_CODES = {"ErrorDetail", "RequestError", "ServingError", "input_error"}
CODE = re.compile(r"[a-z]+(_[a-z0-9]+)*")
GAP = "…"  # in the place of what only the run knows


@dataclass(frozen=True, order=True)
class Message:
    """One error message.

    Attributes:
        path: file that has it, from the project's root.
        text: the message; each part that varies is GAP.
    """

    path: str
    text: str


def messages() -> list[Message]:
    """All messages of Python files, the Makefile and scripts; those that only pass on another error's text are left out."""
    found = {Message(str(path), text) for room in ROOMS for path in Path(room).rglob("*.py") for text in _raised(path)}
    for script in SCRIPTS:
        printed = re.findall(r'"error: (.+?)" >&2', Path(script).read_text(encoding="utf-8"))
        found |= {Message(script, re.sub(r"\$\([a-z]+ .*\)+|\$\(\w+\)|\$\*", GAP, text)) for text in printed}
    return sorted(found)


def codes() -> set[str]:
    """The codes of all errors that a REST or gRPC client can get."""
    found = set(re.findall(r'"code": "(\w+)"', NGINX.read_text(encoding="utf-8")))
    for folder in CONTRACT:
        for path in Path(folder).rglob("*.py"):
            found |= set(_codes(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _raised(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    given = [call.args[0] for call in _calls(tree, RAISED) if call.args]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == COMPOSED.get(str(path)):
            given += [part.value for part in ast.walk(node) if isinstance(part, ast.Return) and part.value]
    for text in map(_text, given):
        if re.search(r"\w{2}", text):  # else another error's text, with its place before it
            yield " ".join(text.split())


def _calls(tree: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in names:
                yield node


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left) + _text(right)
    return GAP


def _codes(tree: ast.AST) -> Iterator[str]:
    """Those given to exceptions, and those that a check returns in front of a message."""
    for call in _calls(tree, WITH_CODES):
        given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "code")]
        choices = [choice for one in given for choice in ([one.body, one.orelse] if isinstance(one, ast.IfExp) else [one])]
        yield from (text for text in map(_text, choices) if CODE.fullmatch(text))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Tuple)
            and len(node.elts) == 2
            and isinstance(node.elts[1], ast.Call | ast.JoinedStr | ast.Constant)
        ):
            code, message = map(_text, node.elts)
            if "_" in code and CODE.fullmatch(code) and (message == GAP or " " in message):
                yield code
