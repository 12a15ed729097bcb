"""Calling WSGI applications."""
