"""Applications that are stuck when the function's time is over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bridge.dev.gateway import Request
from tests.end_to_end.emulator import InvocationError

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Start
    from tests.end_to_end.emulator import Emulator

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TIMEOUT_SECONDS = 3


def process_of(function: Emulator) -> int:
    return int(function.ask(Request(path="/process")).body)


def warm(function: Emulator) -> Emulator:
    """The emulator counts the import for the first invocation; a busy machine may need more than one for it."""
    for _ in range(4):
        with suppress(InvocationError):
            process_of(function)
            break
    return function


@pytest.fixture(scope="module")
def asgi(start_for_module: Start) -> Emulator:
    return warm(start_for_module("stuck", "asgi.handler", timeout=TIMEOUT_SECONDS))


@pytest.fixture(scope="module")
def wsgi(start_for_module: Start) -> Emulator:
    return warm(start_for_module("stuck", "wsgi.handler", timeout=TIMEOUT_SECONDS))


@pytest.mark.parametrize("how", ["in_await", "in_sleep", "in_a_loop", "in_a_thread", "in_a_task", "in_a_callback"])
def test_an_asgi_application_that_is_stuck_is_a_504_and_a_stack_in_the_log(asgi: Emulator, how: str) -> None:
    before = process_of(asgi)

    answer = asgi.ask(Request(path=f"/{how}"))

    assert (answer.status, answer.body) == (504, b"Gateway Timeout")
    assert f"GET /{how} has run for " in asgi.log
    assert f"in {how}\n" in asgi.log
    assert process_of(asgi) == before


@pytest.mark.parametrize("how", ["in_sleep", "in_a_loop"])
def test_a_wsgi_application_that_is_stuck_leaves_its_stack_in_the_log(wsgi: Emulator, how: str) -> None:
    before = process_of(wsgi)

    with pytest.raises(InvocationError, match=f"Task timed out after {TIMEOUT_SECONDS}.00 seconds"):
        wsgi.ask(Request(path=f"/{how}"))

    assert f"GET /{how} has run for " in wsgi.log
    assert f"in {how}\n" in wsgi.log
    assert process_of(wsgi) != before, "AWS begins anew after a timeout"
