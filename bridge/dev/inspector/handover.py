"""Handing the recorded requests over to the next process, when ``bridge serve --reload`` restarts.

The file is an unnamed one that only the processes of one ``bridge serve`` have open.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.response import Response

if TYPE_CHECKING:
    from bridge.dev.inspector.recorder import Entry, Recorder

# More requests, in bytes, are not handed over: writing them would delay the restart.
_MAX_BYTES = 32 * 1024 * 1024


def save(recorder: Recorder, file: int) -> None:
    """Write the latest answered requests to the file with the descriptor *file*."""
    entries: list[Entry] = []
    size = 0
    for entry in reversed(recorder.entries.values()):
        size += entry.size
        if size > _MAX_BYTES:
            break
        if entry.is_over:
            entries.append(entry)
    content = pickle.dumps([_with_plain_response(entry) for entry in reversed(entries)])
    with os.fdopen(os.dup(file), "wb") as output:
        output.seek(0)
        output.write(content)
        output.truncate()


def load(recorder: Recorder, file: int) -> None:
    """Add the requests in the file with the descriptor *file*; an incomplete file has none."""
    with os.fdopen(os.dup(file), "rb") as source:
        source.seek(0)
        content = source.read()
    if content:
        try:
            entries = pickle.loads(content)  # noqa: S301 - another process of this command has written it
        except (EOFError, pickle.UnpicklingError):  # the process that saved it was killed
            return
        recorder.restore(entries)


def _with_plain_response(entry: Entry) -> Entry:
    """Return *entry* without objects of the application's classes, which the next process may not have."""
    context = entry.record.context
    response = None if context is None else context.response
    if context is None or response is None:
        return entry
    headers = [(str(name), str(value)) for name, value in response.headers]
    plain = Response(int(response.status), headers, bytes(response.body), str(response.reason))
    copied = object.__new__(type(context))
    copied.__dict__ |= context.__dict__ | {"response": plain}
    return replace(entry, record=replace(entry.record, context=copied))
