"""Readers of a project's files: serverless.yml, SAM templates, pyproject.toml, files of environment variables."""
