from contextlib import nullcontext


def span(operation, name, parent=None):
    return nullcontext()
