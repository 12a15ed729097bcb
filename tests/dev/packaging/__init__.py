"""What the pieces of packaging do by themselves; tests/dev/cli/test_package.py has the command."""
