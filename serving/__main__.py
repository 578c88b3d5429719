"""Command line: `python -m serving up|down|status`."""

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path

from rich.console import Console

from serving import control
from serving.server.errors import ControlError
from serving.server.ports import HOST

CONSOLE = Console(soft_wrap=True, highlight=False)  # soft: a curl line has to stay one line to be copied


def main() -> int:
    """Run the command that the arguments name; the exit status is 1 after an error or where `status` finds a model not ready."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that `up` cleans up behind itself
    try:
        return COMMANDS[arguments.command](arguments)
    except ControlError as error:
        Console(stderr=True).print(f"error: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130


def up(arguments: argparse.Namespace) -> int:
    """Start the server and print a request for each model."""
    with CONSOLE.status("starting TorchServe"):
        server = control.up(arguments.store, arguments.instance, arguments.port)
    for archive in server.archives:
        url = f"http://{HOST}:{server.ports.inference}/predictions/{archive.name}"
        body = shlex.quote(json.dumps(archive.example, ensure_ascii=False))
        CONSOLE.print(f"[bold green]{archive.name}[/]")
        CONSOLE.print(f"  curl -s {url} -H 'Content-Type: application/json' -d {body}", markup=False)
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Stop the server."""
    count = control.down(arguments.instance)
    CONSOLE.print(f"stopped, {count} processes ended" if count else "no server was running")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Print each model and whether it is ready."""
    models = control.status(arguments.instance)
    for name, ready in models.items():
        CONSOLE.print(f"{name}  " + ("[green]READY[/]" if ready else "[red]not ready[/]"))
    return 0 if all(models.values()) else 1


COMMANDS = {"up": up, "down": down, "status": status}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve the packaged models over REST with TorchServe.")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=run.__doc__, description=run.__doc__) for name, run in COMMANDS.items()}
    for command in parsers.values():
        command.add_argument("--instance", type=Path, default=Path(".serving"), help="the server's own folder (%(default)s)")
    parsers["up"].add_argument("--store", type=Path, default=Path("build/model-store"), help="folder of .mar files (%(default)s)")
    parsers["up"].add_argument("--port", type=int, default=8080, help="for requests; 0 takes any free one (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
