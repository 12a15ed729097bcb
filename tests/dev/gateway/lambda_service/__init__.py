"""The Lambda service on this machine."""
