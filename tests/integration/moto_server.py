"""Owns the process that plays S3: writes its address to stdout, and ends when its stdin does."""

from __future__ import annotations

import logging
import sys

from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
sys.stdout.write("http://{}:{}\n".format(*server.get_host_and_port()))
sys.stdout.flush()
sys.stdin.read()
server.stop()
