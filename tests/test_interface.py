"""Telling WSGI from ASGI by how an application can be called."""

from __future__ import annotations

import asyncio
import functools
import operator
import types
import warnings
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock, Mock

import apig_wsgi
import bottle
import falcon
import falcon.asgi
import fastapi
import flask
import litestar
import mangum
import pytest
import quart
import starlette.applications
from asgiref.sync import markcoroutinefunction
from asgiref.wsgi import WsgiToAsgi
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from starlette.middleware.cors import CORSMiddleware
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

import bridge
from bridge.interfaces import detect, interface_by_names, interface_of
from bridge.interfaces.detect import is_lambda_handler

if TYPE_CHECKING:
    from collections.abc import Callable


def wsgi(environ: Any, start_response: Any) -> Any: ...


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def asgi2(scope: Any) -> Any: ...


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...

    def method(self, environ: Any, start_response: Any) -> Any: ...

    @classmethod
    def of_class(cls, environ: Any, start_response: Any) -> Any: ...

    @staticmethod
    def static(environ: Any, start_response: Any) -> Any: ...


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...

    @classmethod
    async def of_class(cls, scope: Any, receive: Any, send: Any) -> None: ...

    @staticmethod
    async def static(scope: Any, receive: Any, send: Any) -> None: ...


class WsgiClass:
    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any: ...


class Asgi2Class:
    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


class TestPlain:
    @pytest.mark.parametrize(
        "app", [wsgi, Wsgi(), Wsgi().method, Wsgi.of_class, Wsgi.static, WsgiClass, lambda environ, start_response: []]
    )
    def test_wsgi(self, app: Any) -> None:
        assert interface_of(app) == "wsgi"

    @pytest.mark.parametrize(
        "app", [asgi, Asgi(), Asgi().method, Asgi.of_class, Asgi.static, lambda scope, receive, send: asgi]
    )
    def test_asgi(self, app: Any) -> None:
        assert interface_of(app) == "asgi"

    @pytest.mark.parametrize("app", [asgi2, Asgi2Class, lambda scope: asgi])
    def test_asgi_2(self, app: Any) -> None:
        assert interface_of(app) == "asgi2"

    def test_generators_and_coroutines_of_any_kind(self) -> None:
        def generator(environ: Any, start_response: Any) -> Any:
            yield b""

        @types.coroutine
        def old_coroutine(scope: Any, receive: Any, send: Any) -> Any:
            yield

        assert interface_of(generator) == "wsgi"
        assert interface_of(old_coroutine) == "asgi"

    def test_parameters_with_other_names_more_or_fewer_required(self) -> None:
        def wsgi_more(env: Any, sr: Any, debug: bool = False, **more: Any) -> Any: ...

        async def asgi_more(a: Any, b: Any, c: Any, *, d: Any = None) -> None: ...

        async def asgi_optional(scope: Any, receive: Any = None, send: Any = None) -> None: ...

        async def asgi_any(*args: Any) -> None: ...

        assert [interface_of(app) for app in (wsgi_more, asgi_more, asgi_optional, asgi_any)] == [
            "wsgi", "asgi", "asgi", "asgi",
        ]  # fmt: skip

    def test_asgiref_s_marks_are_believed(self) -> None:
        class Single:
            _asgi_single_callable = True

            def __call__(self, *args: Any) -> Any: ...

        class Double:
            _asgi_double_callable = True

            def __call__(self, *args: Any) -> Any: ...

        assert interface_of(Single()) == "asgi"
        assert interface_of(Double()) == "asgi2"

    def test_a_function_marked_as_coroutine_function_is_one(self) -> None:
        def any_arguments(*args: Any) -> Any: ...

        assert interface_of(markcoroutinefunction(any_arguments)) == "asgi"

    def test_an_object_whose_own_call_is_set_when_it_is_made(self) -> None:
        """As Sentry's middleware does, for an ASGI 2 or an ASGI 3 application."""

        class Middleware:
            __slots__ = ("__call__", "app")

            def __init__(self, app: Any, *, double: bool) -> None:
                self.app = app
                self.__call__ = self._double if double else self._single

            def _double(self, scope: Any) -> Any: ...

            async def _single(self, scope: Any, receive: Any, send: Any) -> None: ...

        assert interface_of(Middleware(asgi, double=False)) == "asgi"
        assert interface_of(Middleware(asgi2, double=True)) == "asgi2"


class TestPartials:
    def test_what_is_filled_in_does_not_count(self) -> None:
        def configured_wsgi(config: Any, environ: Any, start_response: Any) -> Any: ...

        async def configured_asgi(config: Any, scope: Any, receive: Any, send: Any) -> None: ...

        def keyword_wsgi(environ: Any, start_response: Any, config: Any = None) -> Any: ...

        def keyword_only(environ: Any, start_response: Any, *, config: Any) -> Any: ...

        partial = functools.partial
        assert interface_of(partial(configured_wsgi, 1)) == "wsgi"
        assert interface_of(partial(configured_asgi, 1)) == "asgi"
        assert interface_of(partial(partial(configured_asgi, 1))) == "asgi"
        assert interface_of(partial(keyword_wsgi, config=1)) == "wsgi"
        assert interface_of(partial(keyword_only, config=1)) == "wsgi"
        assert interface_of(partial(asgi)) == "asgi"
        assert interface_of(partial(Wsgi())) == "wsgi"
        assert interface_of(partial(Asgi().method)) == "asgi"
        assert interface_of(partial(WsgiClass)) == "wsgi"


def wrapping(app: Any) -> Any:
    @functools.wraps(app)
    def wrapper(*args: Any, **options: Any) -> Any:
        return app(*args, **options)

    return wrapper


def async_wrapping(app: Any) -> Any:
    @functools.wraps(app)
    async def wrapper(*args: Any, **options: Any) -> Any:
        return await app(*args, **options)

    return wrapper


class Decorator:
    """A decorator that is an object and takes any arguments."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.app(*args, **options)


class TestWrappers:
    @pytest.mark.parametrize(("app", "interface"), [(wsgi, "wsgi"), (asgi, "asgi"), (asgi2, "asgi2")])
    def test_one_that_takes_any_arguments_is_what_it_wraps(self, app: Any, interface: str) -> None:
        for wrapped in (wrapping(app), wrapping(wrapping(app)), Decorator(app), Decorator(wrapping(Decorator(app)))):
            assert interface_of(wrapped) == interface

    def test_one_that_is_a_coroutine_function_is_asgi(self) -> None:
        assert interface_of(async_wrapping(asgi)) == "asgi"

    def test_one_that_names_its_parameters_is_what_they_say(self) -> None:
        @functools.wraps(asgi)
        def wrapper(scope: Any, receive: Any, send: Any) -> Any:
            return asgi(scope, receive, send)

        assert interface_of(wrapper) == "asgi"

    def test_methods_may_be_wrapped_too(self) -> None:
        class App:
            @wrapping
            def __call__(self, environ: Any, start_response: Any) -> Any: ...

            @wrapping
            async def method(self, scope: Any, receive: Any, send: Any) -> None: ...

        assert interface_of(App()) == "wsgi"
        assert interface_of(App().method) == "asgi"

    def test_some_arguments_may_be_named(self) -> None:
        @functools.wraps(wsgi)
        def wrapper(environ: Any, *args: Any) -> Any: ...

        assert interface_of(wrapper) == "wsgi"


class TestBuiltins:
    """A function that Cython compiled has no Python code to look at."""

    def test_its_signature_tells(self) -> None:
        assert interface_of(operator.add) == "wsgi"  # (a, b, /)
        assert interface_of(operator.setitem) == "asgi"  # (a, b, c, /)

    def test_without_a_signature_it_cannot_be_told(self) -> None:
        with pytest.raises(bridge.InterfaceError):
            interface_of(getattr)


@pytest.fixture(scope="module")
def apps() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of WebOb, at the import of cgi
        import pyramid.config
    with pyramid.config.Configurator() as configurator:
        pyramid_app = configurator.make_wsgi_app()
    return {
        "flask": flask.Flask(__name__),
        "flask, wrapped": ProxyFix(flask.Flask(__name__)),
        "flask, its wsgi_app": flask.Flask(__name__).wsgi_app,
        "flask, dispatched": DispatcherMiddleware(flask.Flask(__name__)),
        "bottle": bottle.Bottle(),
        "pyramid": pyramid_app,
        "django": WSGIHandler.__new__(WSGIHandler),  # without Django's settings
        "falcon": falcon.App(),
        "quart": quart.Quart(__name__),
        "quart, its asgi_app": quart.Quart(__name__).asgi_app,
        "starlette": starlette.applications.Starlette(),
        "fastapi": fastapi.FastAPI(),
        "fastapi, wrapped": CORSMiddleware(fastapi.FastAPI()),
        "litestar": litestar.Litestar(),
        "falcon, ASGI": falcon.asgi.App(),
        "django, ASGI": ASGIHandler.__new__(ASGIHandler),
        "asgiref": WsgiToAsgi(wsgi),  # type: ignore[no-untyped-call]
    }


@pytest.mark.parametrize(
    ("name", "interface"),
    [
        ("flask", "wsgi"),
        ("flask, wrapped", "wsgi"),
        ("flask, its wsgi_app", "wsgi"),
        ("flask, dispatched", "wsgi"),
        ("bottle", "wsgi"),
        ("pyramid", "wsgi"),
        ("django", "wsgi"),
        ("falcon", "wsgi"),
        ("quart", "asgi"),
        ("quart, its asgi_app", "asgi"),
        ("starlette", "asgi"),
        ("fastapi", "asgi"),
        ("fastapi, wrapped", "asgi"),
        ("litestar", "asgi"),
        ("falcon, ASGI", "asgi"),
        ("django, ASGI", "asgi"),
        ("asgiref", "asgi"),
    ],
)
def test_the_frameworks_are_recognised(apps: dict[str, Any], name: str, interface: str) -> None:
    app = apps[name]
    call = app if isinstance(app, types.MethodType) else app.__call__
    for seen in (app, wrapping(call), Decorator(app)):
        assert interface_of(seen) == detect.interface_of(seen) == interface


@pytest.mark.parametrize(
    "name", ["flask", "django", "bottle", "falcon", "starlette", "fastapi", "quart", "django, ASGI"]
)
def test_the_names_of_a_framework_s_parameters_are_enough(apps: dict[str, Any], name: str) -> None:
    assert interface_by_names(apps[name]) == interface_of(apps[name])
    assert not is_lambda_handler(apps[name])


class TestNames:
    """Parameters that are called as in PEP 3333 and ASGI spare a closer look, and never tell anything else than it."""

    @pytest.mark.parametrize("app", [wsgi, asgi, Wsgi(), Asgi(), Wsgi.static, Asgi.static])
    def test_they_tell(self, app: Any) -> None:
        assert interface_by_names(app) == detect.interface_of(app)

    def test_they_do_not_of_what_is_called_otherwise_than_it_seems(self) -> None:
        async def two(environ: Any, start_response: Any) -> Any: ...

        def optional(environ: Any, start_response: Any = None) -> Any: ...

        class Static:
            @staticmethod
            def __call__(environ: Any, start_response: Any) -> Any: ...  # of which the first may be the object itself

        class Made:
            def __init__(self, environ: Any, start_response: Any) -> None: ...  # a class that makes no response

        class Meta(type):
            def __call__(cls, environ: Any, start_response: Any) -> Any: ...

        class Marked(Asgi):
            _asgi_double_callable = True

        class MarkedItself(Wsgi):
            def __init__(self) -> None:
                self._asgi_single_callable = True

        class Own(Wsgi):
            def __init__(self) -> None:
                vars(self)["__call__"] = asgi

        made: Any = object.__new__(types.new_class("Class", (), {"metaclass": Meta}))  # which cannot be called itself
        methods = [types.MethodType(app, object()) for app in (wsgi, asgi)]  # the object is the first argument
        marked = markcoroutinefunction(lambda environ, start_response: None)
        for app in (two, optional, Static(), made, Marked(), MarkedItself(), Own(), *methods, marked):
            assert interface_by_names(app) is None
        for app in (Made, Mock(), None, 5, "wsgi", wrapping(wsgi), functools.partial(wsgi)):
            assert interface_by_names(app) is None


class TestWhatCannotBeTold:
    @pytest.mark.parametrize(
        "app",
        [
            lambda: None,
            lambda config=None: None,
            lambda config=None, debug=False: None,
            lambda name, config=None: None,
            lambda *args: None,
            lambda a, b, c, d: None,
            functools.partial(asgi, 1),
            print,
            object,
            dict,
            Mock(),
            MagicMock(),
            flask.Flask,
            fastapi.FastAPI,
            Asgi,
            Wsgi,
        ],
    )
    def test_it_is_an_error_that_names_the_way_out(self, app: Callable[..., Any]) -> None:
        with pytest.raises(bridge.InterfaceError, match=r"bridge\.wsgi_handler") as caught:
            bridge.handler(app)
        assert "bridge.asgi_handler" in str(caught.value)

    def test_a_coroutine_function_of_two_parameters_is_neither(self) -> None:
        async def app(environ: Any, start_response: Any) -> None: ...

        with pytest.raises(bridge.InterfaceError):
            bridge.handler(app)

    def test_wrappers_that_wrap_each_other_are_not_followed_forever(self) -> None:
        one, two = Decorator(None), Decorator(None)
        one.app, two.app = two, one
        with pytest.raises(bridge.InterfaceError):
            bridge.handler(one)

    @pytest.mark.parametrize("app", [None, "app:app", 5, types, {}, types.SimpleNamespace(app=wsgi)])
    @pytest.mark.parametrize("make", [bridge.handler, bridge.wsgi_handler, bridge.asgi_handler])
    def test_what_cannot_be_called_is_an_error_that_says_so(self, make: Any, app: Any) -> None:
        with pytest.raises(bridge.InterfaceError, match="cannot be called"):
            make(app)

    def test_the_caller_s_word_counts_where_it_cannot_be_told(self) -> None:
        def any_arguments(*args: Any) -> Any: ...

        bridge.wsgi_handler(any_arguments)
        bridge.asgi_handler(any_arguments).close()


def lambda_handler(event: Any, context: Any) -> Any: ...


async def async_handler(event: Any, context: Any) -> Any: ...


class LambdaObject:
    def __call__(self, event: Any, context: Any) -> Any: ...

    def resolve(self, event: Any, context: Any) -> Any: ...

    @classmethod
    def of_class(cls, event: Any, context: Any) -> Any: ...

    @staticmethod
    def static(event: Any, context: Any) -> Any: ...

    @wrapping
    def wrapped(self, event: Any, context: Any) -> Any: ...


def configured_handler(config: Any, event: Any, context: Any) -> Any: ...


@functools.wraps(lambda_handler)
def names_of_its_own(a: Any, b: Any) -> Any: ...


class TestLambdaHandlers:
    """Functions of ``(event, context)``, which by their number of parameters could pass for WSGI."""

    @pytest.mark.parametrize(
        "target",
        [
            lambda_handler,
            lambda event, context: None,
            lambda event, _: None,
            lambda event, __: None,
            lambda evt, ctx: None,
            lambda _event, _context: None,
            lambda _, context: None,
            lambda e, ctx: None,
            lambda event, context=None: None,
            lambda event=None, context=None: None,
            lambda event, context, more=None, **others: None,
            lambda event, context, *more, **others: None,
            async_handler,
            LambdaObject(),
            LambdaObject().resolve,
            LambdaObject().wrapped,
            LambdaObject.of_class,
            LambdaObject.static,
            functools.partial(configured_handler, 1),
            functools.partial(lambda event, context, config: None, config=1),
            functools.partial(LambdaObject()),
            wrapping(lambda_handler),
            wrapping(wrapping(async_handler)),
            async_wrapping(async_handler),
            wrapping(LambdaObject()),
            wrapping(LambdaObject().resolve),
            functools.partial(wrapping(configured_handler), 1),
            names_of_its_own,
            apig_wsgi.make_lambda_handler(wsgi),
        ],
    )
    def test_they_are_told_by_the_names_of_their_parameters(self, target: Any) -> None:
        assert is_lambda_handler(target)

    def test_a_handler_of_mangum_is_one(self) -> None:
        asyncio.set_event_loop(loop := asyncio.new_event_loop())  # which it would make, and leave open
        try:
            assert is_lambda_handler(mangum.Mangum(fastapi.FastAPI()))
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def test_a_coroutine_function_of_two_parameters_can_be_nothing_else(self) -> None:
        async def handler(payload: Any, info: Any) -> Any: ...

        assert is_lambda_handler(handler)

    @pytest.mark.parametrize(
        "app",
        [
            wsgi,
            asgi,
            asgi2,
            Wsgi(),
            Wsgi().method,
            Asgi(),
            Asgi().method,
            WsgiClass,
            Asgi2Class,
            lambda env, start_response: [],
            lambda env, sr: [],
            lambda e, s: [],
            lambda event, start_response: [],
            lambda environ, context: [],
            lambda event: None,
            lambda event, context, more: None,
            lambda *args: None,
            wrapping(wsgi),
            wrapping(asgi),
            async_wrapping(asgi),
            Decorator(wsgi),
            functools.partial(wsgi),
            functools.wraps(lambda_handler)(lambda environ, start_response: []),
            LambdaObject,
            Mock(),
            MagicMock(),
            operator.add,
            print,
            None,
            "app:app",
        ],
    )
    def test_applications_and_all_else_are_none(self, app: Any) -> None:
        assert not is_lambda_handler(app)

    def test_a_coroutine_function_with_an_applications_names_is_none(self) -> None:
        async def app(environ: Any, start_response: Any) -> None: ...

        async def double(receive: Any, send: Any) -> None: ...

        assert not is_lambda_handler(app)
        assert not is_lambda_handler(double)

    def test_no_framework_s_application_is_taken_for_one(self, apps: dict[str, Any]) -> None:
        assert [name for name, app in apps.items() if is_lambda_handler(app)] == []

    def test_what_is_no_application_is_told_of_them(self) -> None:
        with pytest.raises(bridge.InterfaceError, match=r"\(event, context\)"):
            bridge.handler(lambda: None)
