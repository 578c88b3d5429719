"""The serving commands of `seqline`: up, down, status, ask, deploy, rollback, rotate, and those of `serving.trial_verbs`."""

import shlex
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import typer
from rich.markup import escape

from serving import trial_verbs
from serving.client.ask import body_of, open_client, read_document
from serving.console import CONSOLE, INSTANCE, TRACKING, Instance, Model, Tracking, app, verb
from serving.records import NAME, Keeping
from serving.registry import fetched
from serving.server import control
from serving.server.certificate import Certificate
from serving.server.errors import ControlError
from serving.server.instance import Served
from serving.server.ports import HOST, Address
from serving.server.proxy import Front, Limits

__all__ = ["app", "trial_verbs"]  # the latter adds its verbs to `app`
LOOK_S = 0.5  # interval between checks that the server still runs
Store = Annotated[Path, typer.Option(help="Folder of .mar files.")]
STORE = Path("build/model-store")


@verb
def up(
    instance: Instance = INSTANCE,
    store: Store = STORE,
    port: Annotated[int, typer.Option(help="Port for requests; 0 chooses a free one.")] = 8080,
    stay: Annotated[
        bool, typer.Option("--stay", help="Stay in the foreground until the server ends; SIGTERM works like `down`.")
    ] = False,
    proxy: Annotated[bool, typer.Option("--proxy", help="Run behind nginx: TLS, key rotation, limits.")] = False,
    certificate: Annotated[Path | None, typer.Option(help="The proxy's certificate (PEM); default: self-signed.")] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="Private key of the certificate.")] = None,
    listen: Annotated[str, typer.Option(help="Address for the proxy to listen on.")] = HOST,
    keys: Annotated[Path | None, typer.Option(help="File of client keys, one per line; default: a new random key.")] = None,
    access_log: Annotated[
        Path | None, typer.Option(help="Log file of the proxy's requests; default: in the instance's folder.")
    ] = None,
    exporter: Annotated[
        str, typer.Option(metavar="ADDRESS:PORT", help="Address for Prometheus; port 0 chooses a free one.")
    ] = f"{HOST}:0",
    mlflow: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="URL of MLflow's server, to which the page links.")
    ] = None,
    keep_inputs: Annotated[
        bool, typer.Option("--keep-inputs", help="Keep the inputs and texts of requests with the records of answers.")
    ] = False,
    retention: Annotated[int, typer.Option(metavar="DAYS", min=1, help="Days after which records are deleted.")] = Keeping.days,
    records: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File of records; default: records.sqlite in the instance's folder.")
    ] = None,
    rate: Annotated[int, typer.Option(help="Requests per second allowed for each key.")] = Limits.rate,
    in_flight: Annotated[int, typer.Option(help="Concurrent requests allowed to each model.")] = Limits.in_flight,
) -> int:
    """Start the server and print an example request for each model."""
    front = None
    if bool(certificate) != bool(certificate_key):
        raise ControlError("--certificate and --certificate-key must be given together")
    if proxy:
        own = Certificate(certificate, certificate_key) if certificate and certificate_key else None
        limits = Limits(rate=rate, burst=max(1, rate // 10), in_flight=in_flight)
        front = Front(own, limits, listen, keys, access_log)
    elif certificate or keys or access_log or listen != HOST:
        raise ControlError("--certificate, --keys, --listen and --access-log require --proxy")
    with CONSOLE.status("starting TorchServe"):
        keeping = Keeping(records or instance / NAME, keep_inputs, retention)
        server = control.up(store, instance, port, front, _address(exporter), _shown(mlflow), keeping)
    CONSOLE.print(f"[bold]page[/] {server.url}/  with the key in {escape(_short(server.authorization))}")
    insecure = "-k " if server.state.proxied and not certificate else ""
    for archive in server.archives:
        examples = server.authorization.with_name("examples")
        (examples / f"{archive.name}.json").write_text(archive.body, encoding="utf-8")
        body = archive.data(_short(examples))
        header = shlex.quote(f"@{_short(server.authorization)}")
        CONSOLE.print(f"[bold green]{archive.name}[/] {archive.version}")
        url = f"{insecure}{server.url}/predictions/{archive.name}"
        CONSOLE.print(f"  curl -s {url} -H {header} -H 'Content-Type: application/json' -d {body}", markup=False)
    return _stay(instance) if stay else 0


@verb
def down(instance: Instance = INSTANCE) -> int:
    """Stop the server; with a proxy, only after it has answered all accepted requests."""
    count = control.down(instance)
    CONSOLE.print(f"stopped, {count} processes ended" if count else "no server was running")
    return 0


@verb
def status(instance: Instance = INSTANCE) -> int:
    """Send each model its example requests. Print its version, whether the answers are as expected, and if not, what to do."""
    models = control.status(instance)
    for name, health in models.items():
        CONSOLE.print(f"{name} {health.version}  " + ("[green]READY[/]" if health.ready else "[red]not ready[/]"))
        if health.fault:
            CONSOLE.print(f"  {health.fault}", markup=False)
    return 0 if all(health.ready for health in models.values()) else 1


@verb
def ask(
    model: Model,
    text: Annotated[list[str] | None, typer.Argument(help="One or more texts.")] = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON file of inputs that are not texts, or of a request; - reads standard input."),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A parameter, such as num_beams=3.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Server URL, such as grpcs://localhost:8080; default: the instance's.")] = None,
    trust: Annotated[Path | None, typer.Option(help="Trusted certificates, in PEM form.")] = None,
    instance: Instance = INSTANCE,
) -> int:
    """Send a request to a model and print the answer as JSON."""
    body = body_of(text or [], parameter or [], read_document(json) if json else "")
    with open_client(instance, url, trust) as client:
        answer = client.send(model, body)
    CONSOLE.print_json(answer.decode()) if CONSOLE.is_terminal else CONSOLE.print(answer.decode(), markup=False)
    return 0


@verb
def deploy(
    model: Annotated[str, typer.Argument(help="MODEL, or MODEL@WHICH: an alias or number of the registry.")],
    instance: Instance = INSTANCE,
    store: Store = STORE,
    tracking: Tracking = TRACKING,
) -> int:
    """Switch a model to the version in the store or the registry, after checking its answers."""
    if "@" not in model:
        _say(model, control.deploy(store / f"{model}.mar", instance))
        return 0
    with fetched(model, tracking) as archive:
        _say(archive.stem, control.deploy(archive, instance))
    return 0


@verb
def rollback(model: Model, instance: Instance = INSTANCE) -> int:
    """Switch a model back to the version before the last deploy."""
    _say(model, control.rollback(model, instance))
    return 0


@verb
def rotate(instance: Instance = INSTANCE) -> int:
    """Create a new key; the previous one stays valid until the next rotation."""
    CONSOLE.print(f"{_short(control.rotate(instance))} contains the new key")
    return 0


def _stay(folder: Path) -> int:
    """Return status 1 when the server has ended by itself; on a signal, stop it gracefully."""
    try:
        while control.runs(folder):
            time.sleep(LOOK_S)
    finally:
        control.down(folder)
    return 1


def _say(model: str, served: Served) -> None:
    CONSOLE.print(f"{model} {served.version} is now active; {served.previous} stays loaded for a rollback")


def _short(path: Path) -> str:
    """The path relative to the working directory, if it is inside it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _shown(tracking: str | None) -> str | None:
    """The tracking server's URL if a browser can open it, without a user's name and password."""
    try:
        parts = urlsplit(tracking or "")
    except ValueError as error:
        raise ControlError(f"--mlflow: {tracking} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https"):
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError:
        raise ControlError(f"--exporter takes ADDRESS:PORT, such as {HOST}:8081, not {text}") from None
