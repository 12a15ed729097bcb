"""``python -m bridge``: the command line."""

from bridge.dev.cli import main

main()
