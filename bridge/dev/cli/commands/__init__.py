"""The commands of ``bridge``, one module each.

A command's module has ``add_parser(subparsers)``, which declares its options, and ``run(options)``, which returns the
exit status. A new command is a module here and an entry in :data:`bridge.dev.cli.COMMANDS`.
"""
