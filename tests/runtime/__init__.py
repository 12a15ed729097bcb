"""Tests of the Runtime API client."""
