from contextlib import contextmanager

from aws_lambda_powertools import Tracer, single_metric
from telemetry import logger

_tracer = Tracer(service="teas")
log = logger.info


@contextmanager
def span(operation, name, parent=None):
    logger.thread_safe_append_keys(tea=name)
    with _tracer.provider.in_subsegment(f"{operation} {name}"):
        yield
    logger.info(operation)
    with single_metric("Teas", "Count", 1, namespace="Shop") as metric:
        metric.add_dimension("tea", name)
