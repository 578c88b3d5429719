"""The proxy splits requests between two versions of a model: nginx, in front of a server whose versions misbehave on request."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp.test_utils import TestServer
from misbehaving import FAILING, TIMEOUT_S, Behind, Split, handler, said, started, trial
from waiting import until

from serving.records import Keeping
from serving.server import proxy
from serving.server.errors import ControlError
from serving.server.gateway import Gateway
from serving.server.instance import Instance
from serving.server.ports import HOST
from serving.server.proxy import Limits, find_nginx
from serving.server.trials import log, splits
from serving.server.trials.attempts import Attempts

try:
    find_nginx()
except ControlError as error:
    pytest.skip(str(error), allow_module_level=True)

GOOD = b'{"inputs": "ab"}'


class Server(ThreadingHTTPServer):
    request_queue_size = 64  # connections that wait to be accepted; a further one would be tried again after a second


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Behind, int]]:
    records = Behind()
    with Server((HOST, 0), handler(records)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield records, server.server_address[1]
        records.ended.set()
        server.shutdown()


@pytest.fixture(scope="module")
def split(behind: tuple[Behind, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    with started(tmp_path_factory.mktemp("split") / "é '{};,", behind[1], Limits(in_flight=6)) as found:
        yield found


def test_without_a_trial_nothing_is_copied_split_or_logged(split: Split) -> None:
    split.to()
    assert said(split.ask("plain", GOOD)) == (200, "champion")
    assert (split.folder / "mirror.conf").read_text() == ""
    time.sleep(1.5)
    assert [line for line in split.log() if line["model"] == "plain"] == []


@pytest.mark.parametrize("kind", ["shadow", "canary"])
def test_a_challenger_gets_about_its_share_of_its_own_models_requests(
    kind: str, split: Split, behind: tuple[Behind, int]
) -> None:
    model = f"share.{kind}-1"
    split.to(**{model: trial(kind, "1-good", 0.25)})
    with ThreadPoolExecutor(4) as pool:
        answers = [said(response) for response in pool.map(lambda _: split.ask(model, GOOD), range(200))]
    assert said(split.ask(model.upper(), GOOD)) == (200, "champion")
    until(lambda: len(behind[0].of(model)) >= 200, "the requests to arrive")
    got = [one.version for one in behind[0].of(model)].count("1-good")
    assert 25 < got < 80  # four standard deviations
    assert {status for status, _ in answers} == {200}
    assert [version for _, version in answers].count("1-good") == (got if kind == "canary" else 0)


def test_a_copy_is_what_the_model_got_except_that_it_is_not_counted(split: Split, behind: tuple[Behind, int]) -> None:
    split.to(copied=trial("shadow", "1-good"))
    body = json.dumps({"inputs": ["x" * 200_000]}).encode()
    identity = split.ask("copied", body, {"X-Deadline": "3"}).headers["X-Request-Id"]
    pair = until(lambda: found if len(found := behind[0].of("copied")) == 2 else None, "the copy to arrive")
    champion, challenger = sorted(pair, key=lambda one: one.version)
    assert champion.body == challenger.body == body
    for name, value in {"X-Request-Id": identity, "X-Deadline": "3", "Authorization": "Bearer i"}.items():
        assert champion.headers[name] == challenger.headers[name] == value
    assert ("X-Probe" in champion.headers, challenger.headers["X-Probe"]) == (False, "1")
    assert float(challenger.headers["X-Request-Start"]) > 0


def test_a_copy_needs_torchserves_key(split: Split, behind: tuple[Behind, int]) -> None:
    """Other users of the machine may reach the socket of the copies, which adds no key of its own."""
    split.to(stranger=trial("shadow", "1-good"))
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(split.folder / "tmp/copies.sock"))
        asking.sendall(b"POST /predictions/stranger/1-good HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        (got,) = until(lambda: behind[0].of("stranger"), "the copy to arrive")
    assert "Authorization" not in got.headers


def test_a_refused_request_is_not_copied(split: Split, behind: tuple[Behind, int]) -> None:
    split.to(refused=trial("shadow", "1-good"))
    assert split.ask("refused", GOOD, {"Authorization": "Bearer wrong"}).status_code == 401
    assert split.ask("refused", GOOD, {"Content-Type": "text/plain"}).status_code == 415
    time.sleep(0.2)
    assert behind[0].of("refused") == []


@pytest.mark.parametrize("version", FAILING)
def test_a_shadow_that_fails_or_hangs_delays_nobody(version: str, split: Split) -> None:
    """Also on one connection, on which nginx reads the next request only after all that belongs to the one before."""
    split.to(delayed=trial("shadow", version))
    with requests.Session() as session:
        began = time.monotonic()
        for _ in range(20):
            url = f"{split.url}/predictions/delayed"
            answer = session.post(url, data=GOOD, headers=split.headers(), verify=str(split.certificate), timeout=10)
            assert said(answer) == (200, "champion")
        assert time.monotonic() - began < 10  # six copies that hang take 2 s each

    def copies() -> list[Any]:
        return [line for line in split.log() if (line["model"], line["version"]) == ("delayed", version)]

    assert until(lambda: len(copies()) == 20, "the log to be written")
    tried = {line["status"] for line in copies() if line["to"] != "challenger_0"}
    assert tried == {str(FAILING[version]) if FAILING[version] else {"1-drop": "502", "1-hang": "504"}[version]}


@pytest.mark.parametrize("version", FAILING)
def test_the_champion_answers_what_a_canary_cannot(version: str, split: Split) -> None:
    split.to(fallen=trial("canary", version))
    began = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        answers = [said(response) for response in pool.map(lambda _: split.ask("fallen", GOOD), range(5))]
    assert answers == [(200, "champion")] * 5
    assert time.monotonic() - began < TIMEOUT_S

    def tried() -> list[Any]:
        return [line for line in split.log() if (line["model"], line["version"]) == ("fallen", version)]

    lines = until(lambda: found if len(found := tried()) == 5 else None, "the log to be written")
    first = str(FAILING[version]) if FAILING[version] else {"1-drop": "502", "1-hang": "504"}[version]
    assert [line["status"] for line in lines] == [f"{first} : 200"] * 5


@pytest.mark.parametrize(
    ("asked", "canary"),
    [("", "2"), ("2", "2"), ("2.5", "2"), ("10", "2"), ("99999", "2"), ("1.999", "1.999"), (".5", ".5"), ("01", "01")],
)
def test_a_canary_has_no_more_time_than_its_answer_would_be_waited_for(
    asked: str, canary: str, split: Split, behind: tuple[Behind, int]
) -> None:
    split.to(patient=trial("canary", "1-dead"))
    before = len(behind[0].of("patient"))
    assert said(split.ask("patient", GOOD, {"X-Deadline": asked} if asked else {})) == (200, "champion")
    challenger, champion = behind[0].of("patient")[before:]
    assert (challenger.headers["X-Deadline"], champion.headers.get("X-Deadline", "")) == (canary, asked)


def test_a_client_that_gives_up_does_not_hide_that_a_canary_hangs(split: Split) -> None:
    split.to(abandoned=trial("canary", "1-hang"))
    url, headers = f"{split.url}/predictions/abandoned", split.headers()
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, data=GOOD, headers=headers, verify=str(split.certificate), timeout=(30, 0.3))
    line = until(lambda: next((line for line in split.log() if line["model"] == "abandoned"), None), "the log to be written")
    assert line["status"].startswith("504")


def test_a_canarys_refusal_of_a_wrong_request_is_passed_on(split: Split) -> None:
    split.to(wrong=trial("canary", "1-refuse"))
    assert said(split.ask("wrong", GOOD)) == (400, "1-refuse")


def test_hanging_requests_to_a_canary_leave_the_champion_its_places(split: Split) -> None:
    """As many as a model may have at a time hang; what comes next goes to the champion at once."""
    split.to(full=trial("canary", "1-hang"))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: split.ask("full", GOOD), range(12)))
    assert [said(answer) for answer in answers] == [(200, "champion")] * 12
    waited = sorted(answer.elapsed.total_seconds() for answer in answers)
    assert waited[5] < TIMEOUT_S / 2 <= waited[6] + 0.1  # half of the time limit is nginx's patience with a challenger


def test_a_shadow_that_hangs_takes_no_places_of_another_models_canary(split: Split, behind: tuple[Behind, int]) -> None:
    split.to(hanging=trial("shadow", "1-hang"), beside=trial("canary", "1-good"))
    for _ in range(8):
        split.ask("hanging", GOOD)
    until(lambda: [one.version for one in behind[0].of("hanging")].count("1-hang") >= 6, "the copies to take all places")
    assert said(split.ask("beside", GOOD)) == (200, "1-good")


def test_requests_for_a_canary_are_limited_like_others(split: Split) -> None:
    split.to(limited=trial("canary", "1-good"))
    assert split.ask("limited", GOOD, {"Authorization": ""}).status_code == 401
    assert split.request("GET", "/predictions/limited").status_code == 405


def test_a_canary_gets_no_more_requests_of_a_key_than_its_rate(behind: tuple[Behind, int], tmp_path: Path) -> None:
    with started(tmp_path / "slow", behind[1], Limits(rate=1, burst=1)) as slow:
        slow.to(often=trial("canary", "1-good"))
        answers = [slow.ask("often", GOOD) for _ in range(6)]
    assert said(answers[0]) == (200, "1-good")
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["error"]["code"] == "too_many_requests"


@pytest.mark.parametrize("path", ["/shadow", "/challenger", "/predictions/m/1-good", "/canary"])
def test_a_client_cannot_choose_a_version(path: str, split: Split) -> None:
    split.to(m=trial("shadow", "1-good"))
    assert split.request("POST", path, GOOD).status_code == 404


def test_a_split_changes_under_load_without_a_failed_request(split: Split) -> None:
    stop, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not stop.is_set():
            statuses.append(split.ask("changing", GOOD).status_code)

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        try:
            for kind in ("shadow", "canary", "shadow", "canary"):
                split.to(changing=trial(kind, "1-dead", 0.5))
                split.to()
            until(lambda: len(statuses) > 50 or any(one.done() for one in asking), "answers")
        finally:
            stop.set()
    for one in asking:
        one.result()  # raises if a connection was refused or reset
    assert set(statuses) == {200}
    assert len(statuses) > 50


def all_read(seen: Attempts, count: int) -> bool:
    return seen.read().challenger.requests == count


def test_a_large_log_is_rotated_and_no_request_is_lost(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LARGEST", 100)
    instance = Instance(split.folder)
    log.empty(instance)
    split.to(long=trial("canary", "1-good"))
    seen = Attempts(instance.logs / log.LOG, "long", "1-good", 0)
    for count in (10, 20):
        for _ in range(10):
            split.ask("long", GOOD)
        until(partial(all_read, seen, count), "the log to be written")
        log.rotate(instance)
        assert until(lambda: (instance.logs / log.LOG).is_file(), "nginx to begin a new log")
    assert Attempts(instance.logs / log.LOG, "long", "1-good", 0).read().challenger.requests == 10


def test_the_gateway_rotates_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LARGEST", 100)
    instance = Instance(tmp_path)
    (instance.site / "web").mkdir(parents=True)
    instance.logs.mkdir()
    (instance.logs / log.LOG).write_bytes(b" " * 101)

    async def run() -> None:
        async with TestServer(Gateway(instance, 1, "", 10.0, Keeping(instance.records)).application()):
            while not (instance.logs / log.OLDER).is_file():
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 10))


def test_settings_that_nginx_does_not_follow_are_an_error(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "_wait_until", lambda *_: False)
    with pytest.raises(ControlError, match=r"nginx does not follow its new settings; see .*proxy-errors\.log"):
        split.to()


def test_the_settings_of_two_trials() -> None:
    text = splits.of_requests({"fr-en": trial("shadow", "7-a", 0.125), "names.2": trial("canary", "3-b", 0.1)})
    assert text.splitlines() == [
        'split_clients "$request_id" $trial_0 { 12.50% "7-a"; * ""; }',
        "upstream challenger_0 { include challenger.conf; }",
        'split_clients "$request_id" $trial_1 { 10.00% "3-b"; * ""; }',
        "upstream challenger_1 { include challenger.conf; }",
        'map $model $shadow { default ""; "~^fr\\-en$" $trial_0; }',
        'map $model $canary { default ""; "~^names\\.2$" $trial_1; }',
        'map $model $challenger { default ""; "~^fr\\-en$" challenger_0; "~^names\\.2$" challenger_1; }',
        'map $model $in_canary { default 0; "~^names\\.2$" 1; }',
    ]
