"""Why a front door decides as it does, for tools that explain a request.

The code that decides calls :func:`explain` and :func:`exceeds`. Outside of :func:`recorded_decisions` both record
nothing, so a server pays one lookup for each::

    with recorded_decisions() as decisions:
        compose(request, "rest-api")
    print([decision.reason for decision in decisions])
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Decision(NamedTuple):
    """One decision about a request or a response.

    Attributes:
        kind: ``"path"``, ``"request header"``, ``"response header"``, ``"request body"``, ``"response body"`` or
            ``"limit"``.
        subject: what was decided about: a header's name, a path, the name of a size.
        reason: what happens to it, and by which rule; ``""`` for a limit.
        size, limit: the size that was compared with a limit, and the limit; 0 for other kinds.
    """

    kind: str
    subject: str
    reason: str = ""
    size: int = 0
    limit: int = 0


_decisions: ContextVar[list[Decision] | None] = ContextVar("bridge.gateway.decisions", default=None)


@contextmanager
def recorded_decisions() -> Iterator[list[Decision]]:
    """Provide a list to which this thread or task adds its decisions."""
    decisions: list[Decision] = []
    token = _decisions.set(decisions)
    try:
        yield decisions
    finally:
        _decisions.reset(token)


def explain(kind: str, subject: str, reason: str) -> None:
    """Record a decision; the arguments are the attributes of :class:`Decision`."""
    decisions = _decisions.get()
    if decisions is not None:
        decisions.append(Decision(kind, subject, reason))


def exceeds(subject: str, size: int, limit: int) -> bool:
    """Return whether *size* is larger than *limit*, and record both under the name *subject*."""
    decisions = _decisions.get()
    if decisions is not None:
        decisions.append(Decision("limit", subject, "", size, limit))
    return size > limit
