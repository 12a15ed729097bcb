import sentry_sdk


def span(operation, name, parent=None):
    return sentry_sdk.start_span(op=operation, name=name)
