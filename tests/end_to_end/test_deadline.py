"""Applications that do not answer before the function's timeout, behind AWS's runtime client."""

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
    return int(function.request(Request(path="/process")).body)


def warm_up(function: Emulator) -> Emulator:
    """Import the application, which in the emulator counts for the deadline, and may take several attempts."""
    for _ in range(4):
        with suppress(InvocationError):
            process_of(function)
            break
    return function


@pytest.fixture(scope="module")
def asgi(start_for_module: Start) -> Emulator:
    return warm_up(start_for_module("stuck", "asgi.handler", timeout=TIMEOUT_SECONDS))


@pytest.fixture(scope="module")
def wsgi(start_for_module: Start) -> Emulator:
    return warm_up(start_for_module("stuck", "wsgi.handler", timeout=TIMEOUT_SECONDS))


@pytest.mark.parametrize("endpoint", ["in_await", "in_a_thread", "in_a_task"])
def test_a_suspended_asgi_application_is_cancelled_with_a_504_and_a_logged_stack(asgi: Emulator, endpoint: str) -> None:
    before = process_of(asgi)

    answer = asgi.request(Request(path=f"/{endpoint}"))

    assert (answer.status, answer.body) == (504, b"Gateway Timeout")
    assert f"GET /{endpoint} has run for " in asgi.log
    assert f"in {endpoint}\n" in asgi.log
    assert process_of(asgi) == before


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
@pytest.mark.parametrize("endpoint", ["in_sleep", "in_a_loop"])
def test_a_blocked_application_has_its_stack_logged_before_lambda_ends_it(
    request: pytest.FixtureRequest, interface: str, endpoint: str
) -> None:
    function: Emulator = request.getfixturevalue(interface)
    before = process_of(function)

    with pytest.raises(InvocationError, match=f"Task timed out after {TIMEOUT_SECONDS}.00 seconds"):
        function.request(Request(path=f"/{endpoint}"))

    assert f"GET /{endpoint} has run for " in function.log
    assert f"in {endpoint}\n" in function.log
    assert process_of(function) != before, "the emulator starts another process after a timeout"
