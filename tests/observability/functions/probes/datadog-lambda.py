from ddtrace.trace import tracer


def span(operation, name, parent=None):
    return tracer.trace(operation, resource=name)
