"""What the pieces of packaging do by themselves; tests/cli/test_package.py has the command."""
