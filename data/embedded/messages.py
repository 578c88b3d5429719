"""Readers of message catalogue formats: English messages of programs and their French translations."""

import ast
import re
import struct
from collections.abc import Iterator, Mapping

Files = Mapping[str, bytes]  # path -> content
Message = tuple[str, str]  # fr, en

MO_HEADER = 8  # bytes before the number of messages and the offsets of both tables
QM_MAGIC = 16  # bytes
QM_MESSAGES = 0x69  # the section with the messages
QM_END, QM_TRANSLATION, QM_SOURCE, QM_CONTEXT = 1, 3, 6, 7
PO_ENTRY = re.compile(r'^msgid ((?:".*"\s*)+)^msgstr ((?:".*"\s*)+)', re.MULTILINE)
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
SAID = re.compile(r'dialogId\("([^"]+)",\s*"[^"]*",\s*("(?:[^"\\]|\\.)*")\)')
SAID_IN_FRENCH = re.compile(r'dialogId\("([^"]+)"[^\n]*\n\s*dialogStr\(("(?:[^"\\]|\\.)*")\)')


def read_mo(files: Files) -> Iterator[Message]:
    """Yield the messages of compiled GNU gettext catalogues. Of messages with plural forms, only the singular is used."""
    for content in files.values():
        count, originals, translations = struct.unpack_from("<3I", content, MO_HEADER)
        for i in range(count):
            en, fr = (_mo_text(content, table + 8 * i) for table in (originals, translations))
            if en and fr:  # the header is the translation of an empty string
                yield fr, en


def _mo_text(content: bytes, entry: int) -> str:
    length, start = struct.unpack_from("<2I", content, entry)
    return content[start : start + length].partition(b"\0")[0].decode("utf-8")


def read_po(files: Files) -> Iterator[Message]:
    """Yield the messages of GNU gettext catalogues in text format, without those that have plural forms."""
    for content in files.values():
        active = "\n".join(line for line in content.decode("utf-8").splitlines() if not line.startswith("#"))
        for match in PO_ENTRY.finditer(active):
            en, fr = (_quoted(part) for part in match.groups())
            if en and fr:
                yield fr, en


def read_qm(files: Files) -> Iterator[tuple[str, Message]]:
    """Yield the messages of compiled Qt catalogues, as (context, message). The context is the part of the program."""
    for content in files.values():
        fields: dict[int, bytes] = {}
        for tag, value in _qm_fields(_qm_section(content, QM_MESSAGES)):
            if tag != QM_END:
                fields.setdefault(tag, value)
                continue
            if QM_TRANSLATION in fields and QM_SOURCE in fields:
                fr, en = fields[QM_TRANSLATION].decode("utf-16-be"), fields[QM_SOURCE].decode("utf-8")
                yield fields[QM_CONTEXT].decode("utf-8"), (fr, en)
            fields = {}


def _qm_section(content: bytes, wanted: int) -> bytes:
    start = QM_MAGIC
    while start < len(content):
        tag, length = struct.unpack_from(">BI", content, start)
        start += 5
        if tag == wanted:
            return content[start : start + length]
        start += length
    return b""


def _qm_fields(messages: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(messages):
        tag, start = messages[start], start + 1
        if tag == QM_END:
            yield tag, b""
            continue
        (length,) = struct.unpack_from(">I", messages, start)
        start += 4
        yield tag, messages[start : start + length]
        start += length


def read_lua(files: Files) -> Iterator[Message]:
    """Yield the dialogues of Fish Fillets. There is one file per room and language, and each line has an id."""
    texts = {path: content.decode("utf-8") for path, content in files.items()}
    for path, text in texts.items():
        if path.endswith("_en.lua"):
            translated = dict(SAID_IN_FRENCH.findall(texts.get(path.replace("_en.lua", "_fr.lua"), "")))
            for name, line in SAID.findall(text):
                if name in translated:
                    yield _quoted(translated[name]), _quoted(line)


def _quoted(literals: str) -> str:
    """Return the text of one or more double-quoted literals, in the syntax of C, Lua and Python."""
    return "".join(str(ast.literal_eval(literal)) for literal in QUOTED.findall(literals))
