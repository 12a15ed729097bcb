import newrelic.agent


def span(operation, name, parent=None):
    return newrelic.agent.FunctionTrace(f"{operation} {name}")
