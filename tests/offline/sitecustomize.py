"""Imported by every Python that has this folder on its path: it then reaches no other machine.

An attempt raises, and is told on standard error, in case somebody catches what it raises.
"""

import socket
import sys

_LOOPBACK = (None, "", "127.0.0.1", "localhost", "::1", "0.0.0.0")
_resolve, _connect = socket.getaddrinfo, socket.socket.connect


def _refuse(host):
    print(f"asked for {host}", file=sys.stderr, flush=True)
    raise OSError(f"tests reach no other machine, {host} neither")


def getaddrinfo(host, *args, **kwargs):
    return _resolve(host, *args, **kwargs) if host in _LOOPBACK else _refuse(host)


def connect(self, address):
    outside = self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK
    return _refuse(address[0]) if outside else _connect(self, address)


socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect
