"""The page of error messages: what to do about each, from docs/errors.yaml."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field

from pipelines.report.messages import Message, messages
from pipelines.settings.params import read_settings
from pipelines.settings.section import Section
from pipelines.stage import StageError

CURES = Path("docs/errors.yaml")


class Code(Section):
    """An error code of the REST API.

    Attributes:
        status: HTTP statuses that it comes with; empty for what a client finds itself.
        cure: what to do.
    """

    status: str
    cure: str


class Place(Section):
    """Where users meet errors.

    Attributes:
        title: heading of the section.
        about: what is true of all of them.
        files: glob pattern of source files -> a cure of all their messages, or a part of a message -> its cure. An empty part
            stands for all other messages.
        codes: error code of the REST API -> what to do.
    """

    title: str
    about: str = ""
    files: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    codes: dict[str, Code] = Field(default_factory=dict)


class Cures(Section):
    """All of errors.yaml."""

    places: list[Place]


Entry = tuple[str, str, str]  # title of the place, pattern of files, part of the message


def load() -> list[Place]:
    """The cures as written."""
    return read_settings(CURES, Cures).places


def assigned(places: list[Place]) -> dict[Entry, list[Message]]:
    """Each cure with its messages: of several that fit a message, the one with the longest part counts.

    Raises:
        StageError: a message has no cure.
    """
    found: dict[Entry, list[Message]] = {entry: [] for place in places for entry, _ in _entries(place)}
    for message in messages():
        fitting = [entry for entry in found if fnmatchcase(message.path, entry[1]) and entry[2] in message.text]
        if not fitting:
            raise StageError(f"{CURES} has no cure for {message.text!r} of {message.path}; add one")
        found[max(fitting, key=lambda entry: (len(entry[2]), len(entry[1])))].append(message)
    return found


def _entries(place: Place) -> Iterator[tuple[Entry, str]]:
    for pattern, cures in place.files.items():
        for part, cure in ({"": cures} if isinstance(cures, str) else cures).items():
            yield (place.title, pattern, part), cure


def errors() -> str:
    """All messages with their cures, as Markdown sections."""
    places = load()
    found = assigned(places)
    return "\n\n".join(f"## {place.title}\n\n{_section(place, found)}" for place in places)


def _section(place: Place, found: dict[Entry, list[Message]]) -> str:
    parts = [" ".join(place.about.split())] if place.about else []
    parts += [_definition(found[entry], cure) for entry, cure in _entries(place) if found[entry]]
    if place.codes:
        rows = [f"| `{name}` | {code.status} | {' '.join(code.cure.split())} |" for name, code in sorted(place.codes.items())]
        parts.append("\n".join(("| code | status | what to do |", "|---|---|---|", *rows)))
    return "\n\n".join(parts)


def _definition(about: list[Message], cure: str) -> str:
    """Messages as the terms of a definition list, and their cure as the definition."""
    terms = dict.fromkeys(f"`` {message.text} ``" for message in about)
    return "\n".join(terms) + f"\n:   {' '.join(cure.split())}"
