"""Fuzzing: every request, valid or not, gets a timely answer that is no 5xx and leaks nothing about the server."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from benchmarks.load.target import TIMEOUT_S, Target
from serving.contract.headers import DEADLINE

LEAKS: Final = ("Traceback", "site-packages", ".py", "org.pytorch", "java.", "/tmp", "/home", "/root", "nginx/")  # noqa: S108
SHOWN: Final = 300  # characters of a bad answer to keep


@dataclass
class Found:
    """Results of a fuzzing run.

    Attributes:
        sent: number of requests.
        statuses: number of answers per status code.
        server_errors: answers with a 5xx status.
        hangs: requests without a complete answer in time.
        leaks: answers that reveal internals of the server.
        breaches: answers whose status the OpenAPI document does not list.
    """

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    server_errors: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    def look(self, ask: Callable[[], requests.Response]) -> requests.Response | None:
        """Send a request and record any problem with the answer."""
        self.sent += 1
        try:
            response = ask()
        except requests.RequestException as error:
            self.hangs.append(str(error)[:SHOWN])
            return None
        text = response.text
        self.statuses[response.status_code] += 1
        in_a_hurry = response.status_code == requests.codes.gateway_timeout and DEADLINE in response.request.headers
        if response.status_code >= 500 and not in_a_hurry:
            self.server_errors.append(f"{response.status_code} {text[:SHOWN]}")
        # An error message may quote the request, so a mark only counts as a leak if the request did not contain it.
        said = str(response.request.body) + str(response.request.url)
        self.leaks += [f"{mark}: {text[:SHOWN]}" for mark in LEAKS if mark in text and mark not in said]
        return response


def fuzz(target: Target, count: int, seed: int = 0) -> Found:
    """Send about `count` requests: half from the OpenAPI document, valid and invalid, and half with arbitrary bodies."""
    found, models = Found(), sorted(target.state.models)
    session = requests.Session()  # keeps one connection, and reconnects if the proxy closes it on a bad request
    session.verify, session.trust_env = str(target.certificate), False
    headers = target.headers()
    document = session.get(f"{target.url}/openapi.json", timeout=TIMEOUT_S).json()
    each = max(1, count // (2 * len(models)))
    for model in models:
        examples = [example["value"] for example in _asked(document, model)["examples"].values()]
        ask = partial(session.post, f"{target.url}/predictions/{model}", headers=headers, timeout=TIMEOUT_S)
        _run(st.one_of(_bodies(), _mutated(examples)), each, seed, partial(_as_it_is, found, ask))
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        schema = schemathesis.openapi.from_dict(document)
        for operation in schema.get_all_operations():
            if not isinstance(operation, Ok):
                raise TypeError(f"schemathesis cannot read an operation of the OpenAPI document: {operation.err()}")
            cases = operation.ok().as_strategy(generation_mode=mode)
            _run(cases, max(1, each // 2), seed, lambda case: _by_document(found, case, target.url, headers, session))
    return found


def _as_it_is(found: Found, ask: Callable[..., requests.Response], body: bytes) -> None:
    found.look(lambda: ask(data=body))


def _by_document(found: Found, case: Any, url: str, headers: dict[str, str], session: requests.Session) -> None:
    prepared = session.prepare_request(requests.Request(**case.as_transport_kwargs(base_url=url, headers=headers)))
    response = found.look(lambda: session.send(prepared, timeout=TIMEOUT_S, verify=session.verify))
    if response is None:
        return
    documented = case.operation.definition.raw["responses"]
    if str(response.status_code) not in documented:
        found.breaches.append(f"{response.status_code} {response.text[:SHOWN]}")


def _run(strategy: st.SearchStrategy[Any], count: int, seed: int, check: Callable[[Any], object]) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(case: Any) -> None:
        check(case)

    run()


def _bodies() -> st.SearchStrategy[bytes]:
    """Return a strategy for raw bytes, JSON of any shape, and requests with arbitrary inputs and parameters."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
    depths = st.integers(1, 20_000).map(lambda depth: b"[" * depth)
    inputs = st.text(max_size=2000) | st.lists(st.text(max_size=200), max_size=70)
    requests_of_text = st.fixed_dictionaries({"inputs": inputs}, optional={"parameters": anything})
    return st.one_of(st.binary(max_size=4096), depths, anything.map(_dump), requests_of_text.map(_dump))


def _mutated(examples: list[Any]) -> st.SearchStrategy[bytes]:
    """Return a strategy for valid requests with some bytes changed, removed or inserted."""

    def change(drawn: tuple[bytes, list[tuple[int, int, int]]]) -> bytes:
        body = bytearray(drawn[0])
        for place, kind, value in drawn[1]:
            at = place % max(1, len(body))
            body[at : at + (kind > 0)] = bytes([value]) * (kind < 2)
        return bytes(body)

    edits = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 2), st.integers(0, 255)), max_size=5)
    return st.tuples(st.sampled_from([_dump(example) for example in examples]), edits).map(change)


def _dump(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode(errors="surrogatepass")


def _asked(document: Any, model: str) -> Any:
    return document["paths"][f"/predictions/{model}"]["post"]["requestBody"]["content"]["application/json"]
