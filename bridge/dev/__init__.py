"""What stays on the developer's machine: the local gateway, the packager, deployment and the command line."""
