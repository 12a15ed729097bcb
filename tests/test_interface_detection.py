"""WSGI, ASGI and Lambda handlers are distinguished by how they can be called."""

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
from bridge.interface_detection import interface_of, is_lambda_handler

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


class TestApplications:
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

    def test_generators_are_wsgi_and_coroutines_of_any_kind_asgi(self) -> None:
        def generator(environ: Any, start_response: Any) -> Any:
            yield b""

        @types.coroutine
        def old_coroutine(scope: Any, receive: Any, send: Any) -> Any:
            yield

        assert interface_of(generator) == "wsgi"
        assert interface_of(old_coroutine) == "asgi"

    def test_parameters_may_have_other_names_and_defaults(self) -> None:
        def wsgi_more(env: Any, sr: Any, debug: bool = False, **more: Any) -> Any: ...

        async def asgi_more(a: Any, b: Any, c: Any, *, d: Any = None) -> None: ...

        async def asgi_optional(scope: Any, receive: Any = None, send: Any = None) -> None: ...

        async def asgi_any(*args: Any) -> None: ...

        assert [interface_of(app) for app in (wsgi_more, asgi_more, asgi_optional, asgi_any)] == [
            "wsgi", "asgi", "asgi", "asgi",
        ]  # fmt: skip

    def test_the_marks_of_asgiref_decide(self) -> None:
        class Single:
            _asgi_single_callable = True

            def __call__(self, *args: Any) -> Any: ...

        class Double:
            _asgi_double_callable = True

            def __call__(self, *args: Any) -> Any: ...

        assert interface_of(Single()) == "asgi"
        assert interface_of(Double()) == "asgi2"

    def test_a_function_marked_as_coroutine_function_is_asgi(self) -> None:
        def any_arguments(*args: Any) -> Any: ...

        assert interface_of(markcoroutinefunction(any_arguments)) == "asgi"

    def test_an_object_may_have_a_call_of_its_own(self) -> None:
        """Like Sentry's middleware, for ASGI 2 or ASGI 3."""

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
    def test_bound_arguments_do_not_count(self) -> None:
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
    """A wrapper that is an object and takes any arguments."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.app(*args, **options)


class TestWrappers:
    @pytest.mark.parametrize(("app", "interface"), [(wsgi, "wsgi"), (asgi, "asgi"), (asgi2, "asgi2")])
    def test_a_wrapper_with_any_arguments_has_the_interface_of_what_it_wraps(self, app: Any, interface: str) -> None:
        for wrapped in (wrapping(app), wrapping(wrapping(app)), Decorator(app), Decorator(wrapping(Decorator(app)))):
            assert interface_of(wrapped) == interface

    def test_a_wrapper_that_is_a_coroutine_function_is_asgi(self) -> None:
        assert interface_of(async_wrapping(asgi)) == "asgi"

    def test_a_wrapper_with_parameters_has_their_interface(self) -> None:
        @functools.wraps(asgi)
        def wrapper(scope: Any, receive: Any, send: Any) -> Any:
            return asgi(scope, receive, send)

        assert interface_of(wrapper) == "asgi"

    def test_methods_may_be_wrapped(self) -> None:
        class App:
            @wrapping
            def __call__(self, environ: Any, start_response: Any) -> Any: ...

            @wrapping
            async def method(self, scope: Any, receive: Any, send: Any) -> None: ...

        assert interface_of(App()) == "wsgi"
        assert interface_of(App().method) == "asgi"

    def test_a_wrapper_with_some_parameters_has_the_interface_of_what_it_wraps(self) -> None:
        @functools.wraps(wsgi)
        def wrapper(environ: Any, *args: Any) -> Any: ...

        assert interface_of(wrapper) == "wsgi"


class TestBuiltins:
    """Functions without Python code, such as those that Cython compiles."""

    def test_the_signature_decides(self) -> None:
        assert interface_of(operator.add) == "wsgi"  # (a, b, /)
        assert interface_of(operator.setitem) == "asgi"  # (a, b, c, /)

    def test_without_a_signature_the_interface_is_not_recognisable(self) -> None:
        with pytest.raises(bridge.InterfaceError):
            interface_of(getattr)


@pytest.fixture(scope="module")
def apps() -> dict[str, tuple[Any, str]]:
    """Applications of frameworks, with their interface."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of WebOb, at the import of cgi
        import pyramid.config
    with pyramid.config.Configurator() as configurator:
        pyramid_app = configurator.make_wsgi_app()
    return {
        "flask": (flask.Flask(__name__), "wsgi"),
        "flask, wrapped": (ProxyFix(flask.Flask(__name__)), "wsgi"),
        "flask, its wsgi_app": (flask.Flask(__name__).wsgi_app, "wsgi"),
        "flask, dispatched": (DispatcherMiddleware(flask.Flask(__name__)), "wsgi"),
        "bottle": (bottle.Bottle(), "wsgi"),
        "pyramid": (pyramid_app, "wsgi"),
        "django": (WSGIHandler.__new__(WSGIHandler), "wsgi"),  # without Django's settings
        "falcon": (falcon.App(), "wsgi"),
        "quart": (quart.Quart(__name__), "asgi"),
        "quart, its asgi_app": (quart.Quart(__name__).asgi_app, "asgi"),
        "starlette": (starlette.applications.Starlette(), "asgi"),
        "fastapi": (fastapi.FastAPI(), "asgi"),
        "fastapi, wrapped": (CORSMiddleware(fastapi.FastAPI()), "asgi"),
        "litestar": (litestar.Litestar(logging_config=None), "asgi"),
        "falcon, ASGI": (falcon.asgi.App(), "asgi"),
        "django, ASGI": (ASGIHandler.__new__(ASGIHandler), "asgi"),
        "asgiref": (WsgiToAsgi(wsgi), "asgi"),  # type: ignore[no-untyped-call]
    }


def test_applications_of_frameworks_are_recognised(apps: dict[str, tuple[Any, str]]) -> None:
    for name, (app, interface) in apps.items():
        call = app if isinstance(app, types.MethodType) else app.__call__
        for wrapped in (app, wrapping(call), Decorator(app)):
            assert interface_of(wrapped) == interface, name
        assert not is_lambda_handler(app), name


class TestErrors:
    @pytest.mark.parametrize(
        "app",
        [
            lambda: None, lambda config=None: None, lambda config=None, debug=False: None,
            lambda name, config=None: None, lambda *args: None, lambda a, b, c, d: None, functools.partial(asgi, 1),
            print, object, dict, Mock(), MagicMock(), flask.Flask, fastapi.FastAPI, Asgi, Wsgi,
        ],
    )  # fmt: skip
    def test_an_unrecognisable_interface_is_an_error_that_names_the_way_out(self, app: Callable[..., Any]) -> None:
        with pytest.raises(bridge.InterfaceError, match=r"bridge\.wsgi_handler") as caught:
            bridge.handler(app)
        assert "bridge.asgi_handler" in str(caught.value)
        assert "A Lambda handler is recognised by the names of its parameters" in str(caught.value)

    def test_a_coroutine_function_of_two_parameters_is_no_application(self) -> None:
        async def app(environ: Any, start_response: Any) -> None: ...

        with pytest.raises(bridge.InterfaceError):
            bridge.handler(app)

    def test_wrappers_that_wrap_each_other_are_an_error(self) -> None:
        one, two = Decorator(None), Decorator(None)
        one.app, two.app = two, one
        with pytest.raises(bridge.InterfaceError):
            bridge.handler(one)

    @pytest.mark.parametrize("app", [None, "app:app", 5, types, {}, types.SimpleNamespace(app=wsgi)])
    @pytest.mark.parametrize("make", [bridge.handler, bridge.wsgi_handler, bridge.asgi_handler])
    def test_an_application_that_is_not_callable_is_an_error(self, make: Any, app: Any) -> None:
        with pytest.raises(bridge.InterfaceError, match="cannot be called"):
            make(app)

    def test_the_caller_may_state_an_unrecognisable_interface(self) -> None:
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
def with_other_names(a: Any, b: Any) -> Any: ...


class TestLambdaHandlers:
    """Functions of ``(event, context)``, which have as many parameters as WSGI applications."""

    @pytest.mark.parametrize(
        "target",
        [
            lambda_handler, lambda event, context: None, lambda event, _: None, lambda evt, ctx: None,
            lambda _event, _context: None, lambda _, context: None, lambda e, ctx: None,
            lambda event, context=None: None,
            lambda event=None, context=None: None, lambda event, context, more=None, **others: None,
            lambda event, context, *more, **others: None, async_handler, LambdaObject(), LambdaObject().resolve,
            LambdaObject().wrapped, LambdaObject.of_class, LambdaObject.static, wrapping(LambdaObject().resolve),
            functools.partial(configured_handler, 1), functools.partial(LambdaObject()), wrapping(lambda_handler),
            functools.partial(lambda event, context, config: None, config=1), wrapping(wrapping(async_handler)),
            async_wrapping(async_handler), wrapping(LambdaObject()), with_other_names,
            functools.partial(wrapping(configured_handler), 1), apig_wsgi.make_lambda_handler(wsgi),
        ],
    )  # fmt: skip
    def test_the_names_of_the_parameters_decide(self, target: Any) -> None:
        assert is_lambda_handler(target)

    def test_a_handler_of_mangum_is_recognised(self) -> None:
        asyncio.set_event_loop(loop := asyncio.new_event_loop())  # otherwise Mangum makes one and leaves it open
        try:
            assert is_lambda_handler(mangum.Mangum(fastapi.FastAPI()))
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def test_a_coroutine_function_of_two_parameters_is_a_handler(self) -> None:
        async def handler(payload: Any, info: Any) -> Any: ...

        assert is_lambda_handler(handler)

    @pytest.mark.parametrize(
        "app",
        [
            wsgi, asgi, asgi2, Wsgi(), Wsgi().method, Asgi(), Asgi().method, WsgiClass, Asgi2Class,
            lambda env, start_response: [], lambda env, sr: [], lambda e, s: [], lambda event, start_response: [],
            lambda environ, context: [], lambda event: None, lambda event, context, more: None, lambda *args: None,
            wrapping(wsgi), wrapping(asgi), async_wrapping(asgi), Decorator(wsgi), functools.partial(wsgi),
            functools.wraps(lambda_handler)(lambda environ, start_response: []), LambdaObject, Mock(), MagicMock(),
            operator.add, print, None, "app:app",
        ],
    )  # fmt: skip
    def test_applications_and_other_objects_are_no_handlers(self, app: Any) -> None:
        assert not is_lambda_handler(app)

    def test_a_coroutine_function_with_parameter_names_of_applications_is_no_handler(self) -> None:
        async def app(environ: Any, start_response: Any) -> None: ...

        async def double(receive: Any, send: Any) -> None: ...

        assert not is_lambda_handler(app)
        assert not is_lambda_handler(double)
