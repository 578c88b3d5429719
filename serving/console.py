"""What the serving commands share: how they fail, where they print, and their common options."""

import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer
from rich.console import Console

from serving.client.exchange import ServingError
from serving.registry import DEFAULT_URI, URI
from serving.server.errors import ControlError

CONSOLE = Console(soft_wrap=True, highlight=False, emoji=False)  # soft wrap keeps a curl command on one line, to be copied
Arguments = ParamSpec("Arguments")

app = typer.Typer(no_args_is_help=True)
Instance = Annotated[Path, typer.Option(help="The server's own folder.")]
Model = Annotated[str, typer.Argument(help="The model's name.")]
Tracking = Annotated[str, typer.Option(envvar=URI, help="Tracking server or database with the registry.")]
INSTANCE, TRACKING = Path(".serving"), DEFAULT_URI


def verb(command: Callable[Arguments, int]) -> Callable[Arguments, None]:
    """Make a function a command of `app`. Its return value is the exit status; an error gives status 1 and one line."""

    @wraps(command)
    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # raises, so that `up` cleans up after itself
        try:
            status = command(*arguments, **options)
        except (ControlError, ServingError) as error:
            status = _failed(str(error))
        except sqlite3.Error as error:
            status = _failed(f"the file of records cannot be used: {error}")
        except KeyboardInterrupt:
            status = 130
        raise typer.Exit(status)

    return app.command()(run)


def _failed(why: str) -> int:
    Console(stderr=True, emoji=False).print(f"error: {why}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    return 1
