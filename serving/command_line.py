"""`seqline`: one command line, with the commands of all installed parts of the project."""

from importlib.metadata import entry_points

import typer

GROUP = "seqline.verbs"  # of entry points, each a typer.Typer


def main() -> None:
    """Run the command that the arguments name. Parts whose libraries are not installed add no commands."""
    seqline = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Train and serve sequence models: create a task from your own data, build its model, serve it, send it requests.",
    )
    for room in sorted(entry_points(group=GROUP)):
        try:
            seqline.add_typer(room.load())
        except ModuleNotFoundError:
            continue
    seqline()
