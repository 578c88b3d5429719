"""The project's interfaces in Markdown: commands, figures, metrics, Python modules."""

import re
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
from prometheus_client.metrics import MetricWrapperBase
from typer.core import TyperOption

from pipelines.report.measures import Measure, of_kind
from pipelines.report.site.markdown import plain, table
from pipelines.settings.params import load_params
from serving.command_line import GROUP
from serving.telemetry import metrics


def commands() -> str:
    """Each verb of `seqline`: its help, arguments and options."""
    rooms = sorted(entry_points(group=GROUP))
    groups = [typer.main.get_group(room.load()) for room in rooms]
    verbs = {name: verb for group in groups for name, verb in group.commands.items()}
    return "\n\n".join(_verb(name, verb) for name, verb in sorted(verbs.items()))


def _verb(name: str, verb: Any) -> str:  # typer's commands are not click's own: it brings a copy
    shown = (parameter for parameter in verb.params if parameter.name != "help")
    rows = [(_usage(parameter), plain(getattr(parameter, "help", "") or "")) for parameter in shown]
    content = table(("argument or option", "meaning"), rows) if rows else ""
    return f"## seqline {name}\n\n{plain(verb.help or '')}\n\n{content}"


def _usage(parameter: Any) -> str:
    if isinstance(parameter, TyperOption):
        return ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
    return f"`{(parameter.metavar or parameter.name or '').upper()}`"


def targets() -> str:
    """Each target of the Makefile, and what it does."""
    found = re.findall(r"^([a-z-]+):.*## (.*)$", Path("Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return table(("target", "what it does"), ((f"`make {name}`", plain(meaning)) for name, meaning in found))


def kinds() -> str:
    """For each kind of task the figures that tables show, with their keys."""
    names = dict.fromkeys(task.kind for task in load_params().tasks.values())
    return "\n\n".join(f"### {name.capitalize()}\n\n{_measured(of_kind(name).lines)}" for name in names)


def _measured(lines: Iterable[Measure]) -> str:
    rows = ((f"`{line.key}`", line.label, ", ".join(line.beside.values())) for line in lines)
    return table(("key", "meaning", "compared with"), rows)


def exported() -> str:
    """Each metric that a server exports, and what it counts."""
    found = (metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase))
    described = (next(iter(metric.describe())) for metric in found)
    rows = ((f"`{metric.name}`", metric.type, plain(metric.documentation)) for metric in described)
    return table(("metric", "type", "meaning"), rows)


def modules(package: str) -> str:
    """A reference entry, which mkdocstrings fills, for each module of a package that has content of its own."""
    files = sorted(path for path in Path(*package.split(".")).rglob("*.py") if path.stem != "__init__")
    return "\n\n".join(f"::: {'.'.join(path.with_suffix('').parts)}" for path in files)
