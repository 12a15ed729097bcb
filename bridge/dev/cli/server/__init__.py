"""The server of ``bridge serve``: uvicorn, the reloader, the debugger, the access log and the error page."""
