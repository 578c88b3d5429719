"""Command line: `python -m serving up|down|status|ask|deploy|rollback|rotate`."""

import argparse
import json
import shlex
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from serving import control
from serving.ask import body_of, open_client
from serving.client.exchange import ServingError
from serving.server.errors import ControlError
from serving.server.instance import Served
from serving.server.ports import HOST, Address
from serving.server.proxy import Certificate, Front, Limits

LOOK_S = 0.5  # between two looks at whether the server is there
CONSOLE = Console(soft_wrap=True, highlight=False)  # soft: a curl line has to stay one line to be copied


def main() -> int:
    """Run the command that the arguments name; the exit status is 1 after an error or where `status` finds a model not ready."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that `up` cleans up behind itself
    try:
        return COMMANDS[arguments.command](arguments)
    except (ControlError, ServingError) as error:
        Console(stderr=True).print(f"error: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130


def up(arguments: argparse.Namespace) -> int:
    """Start the server and print a request for each model."""
    with CONSOLE.status("starting TorchServe"):
        server = control.up(arguments.store, arguments.instance, arguments.port, _front(arguments), _exporter(arguments.exporter))
    insecure = "-k " if server.state.proxied and not arguments.certificate else ""
    for archive in server.archives:
        body = shlex.quote(json.dumps(archive.examples[0].request, ensure_ascii=False))
        header = shlex.quote(f"@{_short(server.authorization)}")
        CONSOLE.print(f"[bold green]{archive.name}[/] {archive.version}")
        url = f"{insecure}{server.url}/predictions/{archive.name}"
        CONSOLE.print(f"  curl -s {url} -H {header} -H 'Content-Type: application/json' -d {body}", markup=False)
    return _stay(arguments.instance) if arguments.stay else 0


def down(arguments: argparse.Namespace) -> int:
    """Stop the server; with a proxy, when all requests that it took are answered."""
    count = control.down(arguments.instance)
    CONSOLE.print(f"stopped, {count} processes ended" if count else "no server was running")
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Ask each model, and print the version that answers, and whether it does so as it should; if not, what to do."""
    models = control.status(arguments.instance)
    for name, health in models.items():
        CONSOLE.print(f"{name} {health.version}  " + ("[green]READY[/]" if health.ready else "[red]not ready[/]"))
        if health.fault:
            CONSOLE.print(f"  {health.fault}", markup=False)
    return 0 if all(health.ready for health in models.values()) else 1


def ask(arguments: argparse.Namespace) -> int:
    """Ask a model, and print its answer as JSON."""
    body = body_of(arguments.text, arguments.parameter)
    with open_client(arguments.instance, arguments.url, arguments.trust) as client:
        answer = client.send(arguments.model, body)
    CONSOLE.print_json(answer.decode()) if CONSOLE.is_terminal else CONSOLE.print(answer.decode(), markup=False)
    return 0


def deploy(arguments: argparse.Namespace) -> int:
    """Let the version of a model that is in the store answer, once it has shown that it can."""
    _say(arguments.model, control.deploy(arguments.store / f"{arguments.model}.mar", arguments.instance))
    return 0


def rollback(arguments: argparse.Namespace) -> int:
    """Let the version of a model answer again that did before the last deploy."""
    _say(arguments.model, control.rollback(arguments.model, arguments.instance))
    return 0


def rotate(arguments: argparse.Namespace) -> int:
    """Give out a new key; the one before it stays valid until the next time."""
    CONSOLE.print(f"{_short(control.rotate(arguments.instance))} has the new key")
    return 0


COMMANDS = {"up": up, "down": down, "status": status, "ask": ask, "deploy": deploy, "rollback": rollback, "rotate": rotate}


def _stay(folder: Path) -> int:
    """Return, with status 1, when the server has ended by itself; on a signal, end it in order."""
    try:
        while control.runs(folder):
            time.sleep(LOOK_S)
    finally:
        control.down(folder)
    return 1


def _say(model: str, served: Served) -> None:
    CONSOLE.print(f"{model} {served.version} answers now; {served.previous} waits for a rollback")


def _short(path: Path) -> str:
    """The path from here, where it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _exporter(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError:
        raise ControlError(f"--exporter takes ADDRESS:PORT, as {HOST}:8081, and not {text}") from None


def _front(arguments: argparse.Namespace) -> Front | None:
    if bool(arguments.certificate) != bool(arguments.certificate_key):
        raise ControlError("--certificate and --certificate-key go together")
    if not arguments.proxy:
        if arguments.certificate or arguments.keys or arguments.access_log or arguments.listen != HOST:
            raise ControlError("--certificate, --keys, --listen and --access-log are of a proxy, and so go with --proxy")
        return None
    certificate = Certificate(arguments.certificate, arguments.certificate_key) if arguments.certificate else None
    limits = Limits(rate=arguments.rate, burst=max(1, arguments.rate // 10), in_flight=arguments.in_flight)
    return Front(certificate, limits, arguments.listen, arguments.keys, arguments.access_log)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve the packaged models over REST with TorchServe.")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=run.__doc__, description=run.__doc__) for name, run in COMMANDS.items()}
    for command in parsers.values():
        command.add_argument("--instance", type=Path, default=Path(".serving"), help="the server's own folder (%(default)s)")
    for name in ("up", "deploy"):
        store = Path("build/model-store")
        parsers[name].add_argument("--store", type=Path, default=store, help="folder of .mar files (%(default)s)")
    for name in ("ask", "deploy", "rollback"):
        parsers[name].add_argument("model", help="its name")
    asking = parsers["ask"]
    asking.add_argument("text", nargs="+", help="one text, or several")
    asking.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="as num_beams=3")
    asking.add_argument("--url", help="of the server, as grpcs://localhost:8080; without one, the instance's")
    asking.add_argument("--trust", type=Path, help="certificates to trust, in PEM form")
    start = parsers["up"]
    start.add_argument("--port", type=int, default=8080, help="for requests; 0 takes any free one (%(default)s)")
    start.add_argument("--stay", action="store_true", help="return only when the server ends; SIGTERM ends it as `down` does")
    start.add_argument("--proxy", action="store_true", help="put nginx in front: TLS, keys to change, limits")
    start.add_argument("--certificate", type=Path, help="the proxy's, in PEM form; without one it makes its own")
    start.add_argument("--certificate-key", type=Path, help="the certificate's private key")
    start.add_argument("--listen", default=HOST, help="address that the proxy listens on (%(default)s)")
    start.add_argument("--keys", type=Path, help="file of the clients' keys, one a line; without one the proxy draws its own")
    start.add_argument("--access-log", type=Path, help="where the proxy logs requests; by default in the instance's folder")
    start.add_argument(
        "--exporter",
        default=f"{HOST}:0",
        metavar="ADDRESS:PORT",
        help="where Prometheus asks; port 0: any free one (%(default)s)",
    )
    start.add_argument("--rate", type=int, default=Limits.rate, help="requests a second of one key (%(default)s)")
    start.add_argument(
        "--in-flight", type=int, default=Limits.in_flight, help="requests to one model that may be under way (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
