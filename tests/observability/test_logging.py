"""The recipe for a log format with the request's id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.observability.deployed import PARTIES, each_way, each_way_at_once

if TYPE_CHECKING:
    from tests.observability.conftest import Deploy
    from tests.observability.deployed import Answer, Way

pytestmark = pytest.mark.slow


def line_of(answer: Answer) -> str:
    return f"WARNING routes [{answer.request_id}] brewing {answer.name}"


@each_way
def test_a_line_has_the_request_s_id(way: Way, deploy: Deploy) -> None:
    function = deploy("logging", way, {})

    answer = function.get(f"/tea/{way.unique}", source=way.source)

    assert line_of(answer) in function.log.splitlines()


@each_way_at_once
def test_requests_at_once_do_not_mix(way: Way, deploy: Deploy) -> None:
    function = deploy("logging", way, {}, concurrency=PARTIES)

    answers = function.get_together(*(f"{way.unique}-{number}" for number in range(PARTIES)), source=way.source)

    assert {line_of(answer) for answer in answers} <= set(function.log.splitlines())
