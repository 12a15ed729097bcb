"""The interfaces of the libraries that the bridge replaces, one module for each: migrating changes an import.

The migration guide lists the differences: docs/migrating.md.
"""
