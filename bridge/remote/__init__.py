"""Remote commands: ``exec``, ``command``, ``manage`` and ``flask``, run inside a deployed function."""
