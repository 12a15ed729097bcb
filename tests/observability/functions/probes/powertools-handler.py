from contextlib import contextmanager

from telemetry import logger, metrics, tracer


@contextmanager
def span(operation, name, parent=None):
    logger.append_keys(tea=name)
    with tracer.provider.in_subsegment(f"{operation} {name}"):
        yield
    logger.info(operation)
    metrics.add_metric("Teas", "Count", 1)
