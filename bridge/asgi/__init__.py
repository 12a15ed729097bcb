"""Calling ASGI applications."""
