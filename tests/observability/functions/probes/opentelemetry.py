from opentelemetry import context, trace

_tracer = trace.get_tracer("teas")
current = context.get_current


def span(operation, name, parent=None):
    return _tracer.start_as_current_span(operation, context=parent, attributes={"tea": name})
