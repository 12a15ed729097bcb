"""The half that stays on the developer's machine: local gateway, packager, deployment and command line."""
