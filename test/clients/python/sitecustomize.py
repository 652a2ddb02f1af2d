"""Stands behind the preload in a client's process, like no-dns.cjs: Python tells an audit hook of all it looks up."""

import os
import sys

_HERE = ("localhost", "::1")


def _audit(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if host in _HERE or host.startswith("127."):
        return
    with open(os.environ["NO_DNS_RECORD"], "a") as record:
        record.write(event + " " + host + "\n")
    raise OSError(event + " " + host + " is not allowed here")


sys.addaudithook(_audit)
