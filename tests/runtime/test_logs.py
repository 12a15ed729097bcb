"""Log records as Lambda expects them."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.request import CurrentRequest, current
from bridge.runtime.logs import set_up_logging

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    token = current.set(CurrentRequest({}, SimpleNamespace(aws_request_id="r-1", tenant_id="blue")))
    yield
    current.reset(token)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger without handlers; it is restored after the test."""
    logger = logging.getLogger()
    handlers, level = [*logger.handlers], logger.level
    logger.handlers[:] = []
    yield logger
    logger.handlers[:], logger.level = handlers, level
    logger.setLevel(level)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_text_has_level_time_request_id_and_message(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging({})
    logging.getLogger("shop").warning("sold %d", 3)
    (line,) = lines_of(capsys)
    assert re.fullmatch(r"\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\tr-1\tsold 3", line)


def test_json_has_the_keys_of_aws_s_client_and_extra_fields(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging({"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    logging.getLogger("shop").info("sold %d", 3, extra={"color": "red", "size": {1}})
    record = json.loads(lines_of(capsys)[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record.pop("timestamp"))
    assert record == {
        "level": "INFO",
        "message": "sold 3",
        "logger": "shop",
        "requestId": "r-1",
        "tenantId": "blue",
        "color": "red",
        "size": "{1}",
    }


def test_json_has_an_exception_in_one_line(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging({"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    try:
        raise LookupError("not there")
    except LookupError:
        logging.getLogger("shop").exception("lost")
    record = json.loads(lines_of(capsys)[0])
    assert (record["errorType"], record["errorMessage"], record["message"]) == ("LookupError", "not there", "lost")
    assert "test_logs.py" in record["stackTrace"][0]
    assert re.search(r"test_logs\.py:test_json_has_an_exception_in_one_line:\d+$", record["location"])


def test_a_dictionary_as_message_is_an_object(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging({"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    logging.getLogger("shop").info({"sold": 3})
    assert json.loads(lines_of(capsys)[0])["message"] == {"sold": 3}


@pytest.mark.parametrize(
    ("environ", "levels"),
    [
        ({}, ["WARNING", "ERROR"]),
        ({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, ["INFO", "WARNING", "ERROR"]),
        ({"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}, ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ({"AWS_LAMBDA_LOG_LEVEL": "TRACE"}, ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ({"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"}, ["ERROR"]),
        ({"AWS_LAMBDA_LOG_LEVEL": "FATAL"}, []),
        ({"AWS_LAMBDA_LOG_LEVEL": "loud"}, ["WARNING", "ERROR"]),
    ],
)
def test_lambda_sets_the_level(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], environ: dict[str, str], levels: list[str]
) -> None:
    set_up_logging(environ)
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        logging.getLogger("shop").log(getattr(logging, level), "logged")
    assert [name for line in lines_of(capsys) for name in re.findall("DEBUG|INFO|WARNING|ERROR", line)] == levels


def test_outside_of_an_invocation_there_is_no_request_id(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging({})
    token = current.set(None)
    logging.getLogger("shop").warning("init")
    current.reset(token)
    assert lines_of(capsys)[0].split("\t")[2:] == ["", "init"]


@pytest.mark.parametrize("end", ["", "\n"])
def test_formatters_of_the_function_have_the_ids_of_the_current_invocation(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    set_up_logging({})
    root.handlers[-1].setFormatter(logging.Formatter(f"%(aws_request_id)s %(tenant_id)s %(message)s{end}"))
    logging.getLogger("shop").warning("sold")
    logging.getLogger("shop").warning("sold again")
    assert lines_of(capsys) == ["r-1 blue sold", "r-1 blue sold again"]


def test_the_root_handler_is_the_one_that_datadog_s_library_gives_a_formatter(root: logging.Logger) -> None:
    set_up_logging({})
    handler = root.handlers[-1]
    assert (type(handler).__name__, type(handler.formatter)) == ("LambdaLoggerHandler", logging.Formatter)


def test_json_has_an_exception_that_has_no_message(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise OSError("no message")

    set_up_logging({"AWS_LAMBDA_LOG_FORMAT": "JSON"})
    try:
        raise SilentError
    except SilentError:
        logging.getLogger("shop").exception("lost")
    record = json.loads(lines_of(capsys)[0])
    assert (record["errorType"], record["errorMessage"]) == ("SilentError", "<SilentError.__str__() failed>")


@pytest.mark.skipif(sys.platform == "win32", reason="Lambda passes the descriptor of a pipe, on Linux")
@pytest.mark.parametrize(("environ", "kind"), [({}, 0xA55A0017), ({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, 0xA55A0016)])
def test_a_record_is_one_frame_on_lambda_s_file_descriptor(
    root: logging.Logger, environ: dict[str, str], kind: int
) -> None:
    reader, writer = os.pipe()
    try:
        set_up_logging({**environ, "_LAMBDA_TELEMETRY_LOG_FD": str(writer)})
        logging.getLogger("shop").error("two\nlines é")
        frame: Any = os.read(reader, 65_536)
    finally:
        os.close(reader)
        os.close(writer)
    assert int.from_bytes(frame[:4], "big") == kind
    assert int.from_bytes(frame[4:8], "big") == len(frame) - 16
    assert 1.7e15 < int.from_bytes(frame[8:16], "big") < 5e15
    text = frame[16:].decode()
    assert text.endswith("\n")
    assert (json.loads(text)["message"] if environ else text.rpartition("\t")[2]).strip() == "two\nlines é"
