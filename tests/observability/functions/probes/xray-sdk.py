from aws_xray_sdk.core import xray_recorder


def span(operation, name, parent=None):
    return xray_recorder.in_subsegment(f"{operation} {name}")
