"""The interfaces of the libraries that bridge replaces: the same call, one import changed."""
