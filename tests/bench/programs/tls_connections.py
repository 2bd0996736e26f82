"""Measures connections a second, one after the other, each with a whole handshake: PORT AUTHORITY COUNT."""

from __future__ import annotations

import sys

import rig

from awscrt.http import HttpClientConnection
from awscrt.io import SocketOptions

PIECES = 4


def main(port: int, authority: str, count: int) -> None:
    bootstrap, tls = rig.bootstrap(), rig.tls(authority, "http/1.1")

    def connect() -> None:
        opening = HttpClientConnection.new(rig.HOST, port, bootstrap, SocketOptions(), tls)
        opening.result(rig.SECONDS).close().result(rig.SECONDS)

    connect()
    rig.answer(rig.rate(connect, count, PIECES))


main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
