"""The inspector of ``bridge serve``: a page that shows each request on its way through the front door, and why.

:mod:`.recorder` stores references to what the gateway has made; :mod:`.views` makes what the page shows of them, when
the page requests it; :mod:`.application` serves both.
"""

from __future__ import annotations

from bridge.dev.inspector.inspector_application import InspectorApplication, Served
from bridge.dev.inspector.recorder import Recorder

__all__ = ["InspectorApplication", "Recorder", "Served"]
