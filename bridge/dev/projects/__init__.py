"""Readers of a project's files: serverless.yml, SAM templates, pyproject.toml, files of environment variables, code.

:mod:`~bridge.dev.projects.discover` finds the functions of a project in them. Where no file names an application,
:mod:`~bridge.dev.projects.application_detection` finds it in the code, with
:mod:`~bridge.dev.projects.source_analysis` for one file.
"""
