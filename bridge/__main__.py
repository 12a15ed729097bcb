"""``python -m bridge``."""

from bridge.dev.cli import main

main()
