"""AWS's client, as a managed runtime starts it."""

import os

from awslambdaric.__main__ import main

main(["", os.environ["_HANDLER"]])
