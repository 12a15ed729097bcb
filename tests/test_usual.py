"""The short way of usual requests answers what the long way answers; the application gets the same from both."""

from __future__ import annotations

import json
import logging
from collections import UserDict
from copy import deepcopy
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bridge
from benchmarks.events import EVENTS
from bridge import usual
from bridge.request import Scope
from bridge.wsgi import environ as environ_module
from tests.events import NAMES, load_event
from tests.sources.test_nulls import places_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALL = {**EVENTS, **{name: load_event(name) for name in NAMES}}


class Context:
    aws_request_id = "6c1f1f2e-7a53-4b0d-9d6e-3b7a4f0f3f21"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


CONTEXT = Context()


class Way:
    """One way from event to payload, and what the application has got on it."""

    def __init__(self, app: Any, *, is_short: bool, **options: Any) -> None:
        self.environs: list[dict[str, Any]] = []

        def seeing(environ: dict[str, Any], start_response: Any) -> Any:
            self.environs.append({**environ, "wsgi.input": environ["wsgi.input"].getvalue()})
            return app(environ, start_response)

        self.handler = bridge.wsgi_handler(seeing, **options)
        self.is_short = is_short
        for event in (*EVENTS.values(), *EVENTS.values()):  # all that is usual is known by now
            self.handler(deepcopy(event), CONTEXT)
        if not is_short:
            self.handler._usual, self.handler._may_learn = None, False

    def outcome(self, event: Any) -> tuple[object, list[dict[str, Any]]]:
        """What it answers or raises, and what the application got for it."""
        self.environs.clear()
        event = deepcopy(event)
        try:
            result: object = self.handler(event, CONTEXT)
        except Exception as error:
            result = type(error), str(error)
        # The order of headers is what clients see.
        return json.dumps(result, default=str), [environ | {"serverless.event": None} for environ in self.environs]


def answering(
    status: str = "200 OK", headers: Iterable[tuple[str, str]] = (("Content-Type", "text/plain"),), *body: bytes
) -> Callable[..., list[bytes]]:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [*headers])
        return [*body]

    return app


def ways(app: Any, **options: Any) -> tuple[Way, Way]:
    return Way(app, is_short=True, **options), Way(app, is_short=False, **options)


@pytest.fixture(autouse=True)
def _memories(nothing_remembered: None) -> None:
    """What other tests have asked for may be all that is remembered."""


@pytest.fixture
def simple() -> tuple[Way, Way]:
    return ways(answering("200 OK", [("Content-Type", "text/plain")], b"fine"))


def is_short(way: Way, event: Any) -> bool:
    return usual.answer(way.handler, deepcopy(event), CONTEXT) is not None


@pytest.mark.parametrize("name", EVENTS)
def test_a_browser_s_request_goes_the_short_way(simple: tuple[Way, Way], name: str) -> None:
    event = EVENTS[name]
    assert usual.answer(simple[0].handler, event, CONTEXT) == simple[1].handler(event, CONTEXT)
    assert is_short(simple[0], {**event, "body": "a=1", "isBase64Encoded": False})
    assert is_short(simple[0], {**event, "body": "AP8=", "isBase64Encoded": True})


@pytest.mark.parametrize("name", ALL)
def test_every_event_has_the_same_outcome(simple: tuple[Way, Way], name: str) -> None:
    short, long = simple
    assert short.outcome(ALL[name]) == long.outcome(ALL[name])


ODD = [
    *(None, "", "/", "x", "é", "%41", "//a", "a?b", "2.0", "1.0", "elb", 0, 1.5, True),
    *([], ["x"], ["a", "b"], ["elb"], ["http"], {}, {"a": "b"}),
]


@pytest.mark.parametrize("name", EVENTS)
def test_every_place_of_an_event_may_hold_something_odd_or_nothing(simple: tuple[Way, Way], name: str) -> None:
    short, long = simple
    for place in places_in(EVENTS[name]):
        for odd in (KeyError, *ODD):
            event = deepcopy(EVENTS[name])
            holder: Any = event
            for key in place[:-1]:
                holder = holder[key]
            if odd is KeyError:
                del holder[place[-1]]
            else:
                holder[place[-1]] = odd
            assert short.outcome(event) == long.outcome(event), (place, odd)


def with_more(event: Any, about: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {**event, "requestContext": {**event["requestContext"], **(about or {})}, **more}


REST, HTTP, ALB, MULTI = (EVENTS[name] for name in ("rest-api", "http-api", "alb", "alb-multi"))
TOLD = dict.fromkeys(EVENTS, ("x-forwarded-proto", "x-forwarded-port"))
TOLD["rest-api"] = ("X-Forwarded-Proto", "X-Forwarded-Port")
TURNED = {
    "one name in two spellings": with_more(HTTP, headers={**HTTP["headers"], "Accept": "b", "ACCEPT": "c"}),
    "one name in two spellings, lists": with_more(
        MULTI, multiValueHeaders={**MULTI["multiValueHeaders"], "Accept": ["b"], "ACCEPT": ["c"]}
    ),
    "two lengths": with_more(HTTP, headers={**HTTP["headers"], "content-length": "1", "transfer-encoding": "x"}),
    "an authorizer's question": with_more(HTTP, routeArn="arn:aws:execute-api:…"),
    "payload 1.0": with_more(REST, version="1.0"),
    "Lattice": with_more(REST, {"targetGroupArn": "arn:aws:vpc-lattice:…"}),
    "Lattice, version 2": with_more(REST, {"serviceArn": "arn:aws:vpc-lattice:…"}),
    "a balancer's, with http": with_more(ALB, {"http": HTTP["requestContext"]["http"]}, rawPath="/", rawQueryString=""),
    "an HTTP API's, with elb": with_more(HTTP, {"elb": {}}),
    "a query in the path": with_more(REST, {"path": f"/{REST['requestContext']['stage']}/a?b=c"}, path="/a?b=c"),
    "the stage $default": with_more(REST, {"stage": "$default", "path": "/$default/a"}, path="/a"),
    "no stage": with_more(REST, {"stage": "", "path": "//a"}, path="/a"),
    "a map called query": with_more(
        REST, query={"a": "b c"}, queryStringParameters=None, multiValueQueryStringParameters=None
    ),
    "a host that is new": with_more(HTTP, {"domainName": "new.example"}, headers={"host": "x", "cookie": "a=1"}),
    **{
        f"neither scheme nor port, {name}": with_more(
            event, **{kind: {**event[kind], **dict.fromkeys(TOLD[name], [None] if name == "alb-multi" else None)}}
        )
        for name, event in EVENTS.items()
        for kind in (["multiValueHeaders"] if name == "alb-multi" else ["headers"])
    },
    "a scheme in two spellings": with_more(
        REST,
        headers={**REST["headers"], "x-forwarded-proto": "http", "x-forwarded-port": "8080"},
        multiValueHeaders={**REST["multiValueHeaders"], "x-forwarded-proto": ["http"], "x-forwarded-port": ["8080"]},
    ),
    "a scheme in two spellings, in one map": with_more(
        REST, headers={**REST["headers"], "x-forwarded-proto": "http", "x-forwarded-port": "8080"}
    ),
    "no dict": UserDict(HTTP),
    **{
        f"authorized, {name}: {authorizer}": with_more(event, {"authorizer": authorizer})
        for name, event in EVENTS.items()
        for authorizer in ({"a": 1}, {"principalId": "ann"}, {"jwt": {"claims": {"sub": "ann"}}}, "ann", ["ann"])
    },
}


@pytest.mark.parametrize("what", TURNED)
def test_what_looks_usual_at_first_has_the_same_outcome(simple: tuple[Way, Way], what: str) -> None:
    short, long = simple
    for _ in range(2):
        assert short.outcome(TURNED[what]) == long.outcome(TURNED[what])


texts = st.text(max_size=8) | st.sampled_from([odd for odd in ODD if isinstance(odd, str)])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
header_names = st.sampled_from(["Host", "host", "COOKIE", "cookie", "Content-Length", "Proxy", "X_A", "x-a", "é"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*ALL]), data=st.data())
def test_whatever_is_changed_in_an_event_both_ways_agree(simple: tuple[Way, Way], name: str, data: Any) -> None:
    short, long = simple
    event = deepcopy(ALL[name])
    for _ in range(data.draw(st.integers(1, 3))):
        holder: Any = event
        place = data.draw(st.sampled_from([*places_in(event)] or [()]))
        for key in place[:-1]:
            holder = holder[key]
        if place and data.draw(st.booleans()):
            holder[place[-1]] = data.draw(values)
        elif isinstance(holder, dict):
            holder[data.draw(header_names | texts)] = data.draw(values)
    assert short.outcome(event) == long.outcome(event)


ANSWERS = {
    "nothing": answering("200 OK", [("Content-Type", "text/plain")]),
    "json": answering("201 Created", [("Content-Type", "application/json"), ("Content-Length", "2")], b"{}"),
    "in pieces": answering("200 OK", [("Content-Type", "text/html")], b"<p>", b"", b"</p>"),
    "binary": answering("200 OK", [("Content-Type", "image/png")], b"\x89PNG\xff"),
    "text that is none": answering("200 OK", [("Content-Type", "text/plain")], b"\xff"),
    "in latin-1": answering("200 OK", [("Content-Type", "text/plain; charset=latin-1")], b"abc"),
    "encoded": answering("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")], b"abc"),
    "no type": answering("200 OK", [], b"abc"),
    "a cookie": answering("200 OK", [("Set-Cookie", "a=1"), ("Content-Type", "text/plain")], b"abc"),
    "cookies": answering(
        "200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Vary", "a"), ("vary", "b")], b"abc"
    ),
    "not ASCII": answering("200 OK", [("Content-Type", "text/plain"), ("X-A", "caf\xc3\xa9")], b"abc"),
    "no content": answering("204 No Content", [("X-A", "b")]),
    "not modified": answering("304 Not Modified", [("Content-Type", "text/plain"), ("ETag", '"a"')], b"left out"),
    "a line break": answering("200 OK", [("X-A", "b\r\nX-B: c")], b"abc"),
    "a name that is none": answering("200 OK", [("X A", "b")], b"abc"),
    "bytes": answering("200 OK", [("X-A", b"b")], b"abc"),  # type: ignore[list-item]
    "a number": answering("200 OK", [("X-A", 1)], b"abc"),  # type: ignore[list-item]
    "no status": answering("fine", [], b"abc"),
    "many headers": answering("200 OK", [(f"X-{number}", "a") for number in range(40)], b"abc"),
    "a long header": answering("200 OK", [("X-A", "a" * 5_000)], b"abc"),
    "large": answering("200 OK", [("Content-Type", "text/plain")], b"a" * 900_000),
    "large, and larger in JSON": answering("200 OK", [("Content-Type", "text/plain")], b"\n" * 900_000),
    "too large": answering("200 OK", [("Content-Type", "text/plain")], b"\n" * 4_000_000),
}


def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise ValueError("what went wrong")


def by_write(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])(b"written ")
    return [b"returned"]


def changing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["REQUEST_METHOD"] = "/x", "/y", "HEAD"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"all the same"]


def with_an_iterator(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", iter([("Content-Type", "text/plain"), ("X-A", "b")]))
    return [b"all the same"]


OTHERS = {
    "an iterator of headers": with_an_iterator,
    "failing": failing,
    "by write()": by_write,
    "changing its environ": changing,
}


@pytest.mark.parametrize("answer", [*ANSWERS, *OTHERS])
def test_every_answer_becomes_the_same_payload(answer: str) -> None:
    short, long = ways({**ANSWERS, **OTHERS}[answer])
    for event, method in product(EVENTS.values(), ("GET", "HEAD", "POST")):
        event = deepcopy(event)
        if "httpMethod" in event:
            event["httpMethod"] = method
        else:
            event["requestContext"]["http"]["method"] = method
        for _ in range(2):
            assert short.outcome(event) == long.outcome(event)


ALIKE = {
    "/same": answering("304 Not Modified", [("Content-Type", "text/plain"), ("X-A", "b")], b"left out"),
    "/none": answering("204 No Content", [("Content-Type", "text/plain"), ("X-A", "b")], b"left out"),
    "/twice": answering("200 OK", [("Content-Type", "text/plain"), ("X-A", "b"), ("X-A", "c")], b"fine"),
    "/binary": answering("200 OK", [("Content-Type", "image/png"), ("X-A", "b")], b"fine"),
    "/usual": answering("200 OK", [("Content-Type", "text/plain"), ("X-A", "b")], b"fine"),
}


@pytest.mark.parametrize("path", ALIKE)
def test_what_one_answer_has_taught_misleads_no_other(path: str) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return ALIKE.get(environ["PATH_INFO"], ALIKE["/usual"])(environ, start_response)

    short, long = ways(app)
    for event in (with_more(HTTP, rawPath=path), with_more(ALB, path=path), with_more(MULTI, path=path)):
        assert short.outcome(event) == long.outcome(event)


@pytest.mark.parametrize(
    "options",
    [
        {"base_path": "/shop"},
        {"strip_stage": True},
        {"text_types": ["image/*"]},
        {"exclude_headers": ["content-type"]},
        {"request_id_header": "x-request-id"},
    ],
    ids=str,
)
def test_every_option_counts(options: dict[str, Any]) -> None:
    for app in (ANSWERS["json"], ANSWERS["binary"]):
        short, long = ways(app, **options)
        for event in EVENTS.values():
            assert short.outcome(event) == long.outcome(event)


def test_an_event_that_is_no_dict_is_none_of_the_short_way_s(simple: tuple[Way, Way]) -> None:
    for event in (None, "requestContext", [], 5, object()):
        assert usual.answer(simple[0].handler, event, CONTEXT) is None


def test_the_current_request_is_the_scope_that_the_long_way_reads(simple: tuple[Way, Way]) -> None:
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        request = bridge.current_request()
        seen.append((type(request), {name: getattr(request, name) for name in (*Scope.__slots__, "context", "event")}))
        return answering()(environ, start_response)

    short, long = ways(app)
    for event in EVENTS.values():
        assert is_short(short, event)
        short.outcome(event), long.outcome(event)
        first, second = seen[-2:]
        assert first == second
    assert bridge.current_request() is None


def test_an_application_may_change_its_event() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        environ["serverless.event"].clear()
        return [answering("200 OK", [("Content-Type", "image/png")], b"\xff"), failing][
            environ["PATH_INFO"] == "/fail"
        ](environ, start_response)

    short, long = ways(app)
    for event in (*EVENTS.values(), with_more(HTTP, rawPath="/fail"), with_more(ALB, path="/fail")):
        assert short.outcome(event) == long.outcome(event)


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    seen_by_asgi.append({key: value for key, value in scope.items() if key != "bridge.request"} | message)
    if scope["path"] == "/fail":
        raise ValueError("what went wrong")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"fine"})


seen_by_asgi: list[Any] = []


@pytest.mark.parametrize("what", [*EVENTS, *TURNED, "fail"])
def test_an_asgi_application_s_requests_have_the_same_outcome(what: str) -> None:
    short, long = [bridge.asgi_handler(asgi_app, lifespan="off") for _ in range(2)]
    long._may_learn = False
    event = {**EVENTS, **TURNED, "fail": with_more(HTTP, rawPath="/fail")}[what]
    outcomes = []
    for handler in (short, long):
        for warm in (*EVENTS.values(), *EVENTS.values()):
            handler(deepcopy(warm), CONTEXT)
        seen_by_asgi.clear()
        try:
            result: Any = handler(deepcopy(event), CONTEXT)
        except Exception as error:
            result = type(error), str(error)
        outcomes.append((result, [*seen_by_asgi]))
    assert outcomes[0] == outcomes[1]
    assert what in TURNED or usual.answer(short, event, CONTEXT) is not None
    short.close()
    long.close()


def test_who_does_something_else_on_the_long_way_keeps_it() -> None:
    class Telling(bridge.Handler):
        def write(self, source: Any, scope: Any, response: Any) -> Any:
            return {**super().write(source, scope, response), "told": True}

    made = bridge.wsgi_handler(answering())
    handler = Telling(made.respond, made.settings, wsgi_app=made.wsgi_app)
    assert all(handler(deepcopy(EVENTS["alb"]), CONTEXT)["told"] for _ in range(5))


def test_who_replaces_what_answers_is_heard() -> None:
    handler = bridge.wsgi_handler(answering())
    given, asked = handler.respond, []

    def telling(scope: Scope) -> Any:
        asked.append(scope.path)
        return given(scope)

    handler.respond = telling
    for _ in range(5):
        assert handler(deepcopy(EVENTS["alb"]), CONTEXT)["statusCode"] == 200
    assert len(asked) == 5


def test_what_is_wrong_with_an_answer_is_all_that_the_log_tells(caplog: pytest.LogCaptureFixture) -> None:
    way = Way(ANSWERS["a line break"], is_short=True)
    caplog.clear()
    assert way.handler(deepcopy(EVENTS["http-api"]), CONTEXT)["statusCode"] == 500
    assert "line break" in caplog.text
    assert "During handling of the above exception" not in caplog.text


def test_a_failure_is_logged_with_what_was_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    way = Way(failing, is_short=True)
    caplog.clear()
    with caplog.at_level(logging.ERROR, "bridge"):
        assert way.handler(deepcopy(EVENTS["http-api"]), CONTEXT)["statusCode"] == 500
    assert "The application failed at GET /shop/api/orders" in caplog.text
    assert "what went wrong" in caplog.text


def test_what_ends_the_process_passes() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["serverless.context"] is not CONTEXT:
            raise SystemExit(3)
        return answering()(environ, start_response)

    way = Way(app, is_short=True)
    with pytest.raises(SystemExit):
        way.handler(deepcopy(EVENTS["alb"]), None)
    assert bridge.current_request() is None


def test_several_threads_are_told_of_on_both_ways(monkeypatch: pytest.MonkeyPatch, simple: tuple[Way, Way]) -> None:
    monkeypatch.setitem(environ_module.BLANK, "wsgi.multithread", True)
    assert simple[0].outcome(EVENTS["alb"])[1][0]["wsgi.multithread"] is True
