"""Tests of the parts of the packager; those of the command are in tests/dev/cli/test_package.py."""
