"""The commands of ``bridge``, one module each.

A module has ``add_parser(subparsers)``, which adds the parser of its command with its options, and ``run(options)``,
which runs the command and returns the exit status. To add a command, add a module here and its name to
:data:`bridge.dev.cli.COMMANDS`.
"""
