"""The server of ``bridge serve``.

:mod:`.reloader` runs :mod:`.process` in a child process, which makes the :mod:`.application` and serves it with the
:mod:`.uvicorn_server`.
"""
