"""Sends what a Python program would say to Stripe, Twilio and Resend to spendgate instead.

Python imports a module of this name at start from every directory of PYTHONPATH; `spendgate run` puts this one there.
It works below every HTTP library there is, on sockets: a connection to a vendor's name is made to the base instead, and
the TLS handshake with the vendor is left out (plain http base) or made with the base (https base). The Host header keeps the
vendor's name, by which spendgate knows which product is meant. Without a base and without a vault key it does nothing.

A convenience for routing, no security boundary: what protects the money is that the program holds no real key.
"""

import os
import re
import sys

_BASES = {"stripe": "STRIPE_API_BASE", "twilio": "TWILIO_API_BASE", "resend": "RESEND_BASE_URL"}
_VAULT = re.compile(r"vault_(live|test)_")


def _vendor_of(host):
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    name = str(host or "").lower().rstrip(".")
    for vendor in _BASES:
        if ("." + name).endswith("." + vendor + ".com"):
            return vendor
    return None


def _run_next_sitecustomize():
    """A machine may have a sitecustomize of its own, which this one has just hidden."""
    import importlib.machinery
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    path = [each for each in sys.path if os.path.abspath(each or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _install():
    import socket
    import ssl
    from urllib.parse import urlsplit

    bases = {}
    for vendor, name in _BASES.items():
        text = os.environ.get(name)
        if not text:
            continue
        url = urlsplit(text)
        loopback = re.fullmatch(r"localhost|::1|127(\.\d{1,3}){3}", str(url.hostname)) is not None
        if url.scheme not in ("http", "https") or not url.hostname:
            fault = name + " is not an http or https address."
        elif url.scheme == "http" and not loopback:
            fault = name + " is plain http to " + str(url.hostname) + ": the key would travel in the clear."
        else:
            fault = None
        bases[vendor] = (url, fault)

    def base_of(host):
        vendor = _vendor_of(host)
        if vendor is None:
            return None
        if vendor not in bases:
            raise OSError(
                "spendgate: this program holds a vault key, and " + _BASES[vendor] + " does not say where spendgate is. "
                "Nothing was sent to " + str(host) + "."
            )
        url, fault = bases[vendor]
        if fault is not None:
            raise OSError("spendgate: " + fault + " Nothing was sent.")
        return url

    # A proxy of the machine's own would be asked for a tunnel to the vendor, and with TLS left out the vault key would go
    # through it in the clear. There is nothing to tunnel: the connection is made here.
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "stripe.com,twilio.com,resend.com"]))

    # A vendor's name resolves to an address of its own in 127.0.0.0/8 which stands for it until the connection is made:
    # asynchronous libraries resolve and connect in two steps, and keep only the address in between.
    aliases = {}
    resolve = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **named):
        if base_of(host) is None:
            return resolve(host, port, *args, **named)
        vendor = _vendor_of(host)
        alias = "127.83.71." + str(list(_BASES).index(vendor) + 1)
        aliases[alias] = vendor
        return resolve(alias, port, *args, **named)

    socket.getaddrinfo = getaddrinfo

    def real(address):
        vendor = aliases.get(address[0]) if isinstance(address, tuple) else None
        if vendor is None:
            return address
        url = bases[vendor][0]
        port = url.port or (443 if url.scheme == "https" else 80)
        return resolve(url.hostname, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]

    def at_base(sock, url):
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            peer = sock.getpeername()[:2]
        except OSError:
            return True  # Not connected yet: where it connects to is ours to say.
        return peer in [each[4][:2] for each in resolve(url.hostname, port, 0, socket.SOCK_STREAM)]

    class Socket(socket.socket):
        def connect(self, address):
            return super().connect(real(address))

        def connect_ex(self, address):
            return super().connect_ex(real(address))

    # What plain connections lack and HTTP libraries ask a TLS connection for.
    class Plain:
        def getpeercert(self, binary_form=False):
            return b"" if binary_form else {"subjectAltName": (("DNS", self.vendor_host),)}

        def cipher(self):
            return ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)

        def version(self):
            return "TLSv1.3"

        def compression(self):
            return None

        def shared_ciphers(self):
            return None

        def get_channel_binding(self, cb_type="tls-unique"):
            return None

        def selected_alpn_protocol(self):
            return None

        def selected_npn_protocol(self):
            return None

        def do_handshake(self):
            return None

        def unwrap(self):
            return self

    class PlainSocket(Plain, Socket):
        pass

    class PlainObject(Plain):
        """Stands for ssl.SSLObject between two memory buffers."""

        context = session = None
        server_side = session_reused = False

        def __init__(self, incoming, outgoing):
            self.incoming, self.outgoing = incoming, outgoing

        def read(self, size=65536, buffer=None):
            data = self.incoming.read(size)
            if not data and not self.incoming.eof:
                raise ssl.SSLWantReadError()
            if buffer is None:
                return data
            buffer[: len(data)] = data
            return len(data)

        def write(self, data):
            return self.outgoing.write(data)

        def pending(self):
            return 0

    wrap_sync, wrap_bio = ssl.SSLContext.wrap_socket, ssl.SSLContext.wrap_bio

    def wrap_socket(self, sock, *args, **named):
        host = named.get("server_hostname") or (args[3] if len(args) > 3 else None)
        url = base_of(host)
        if url is None:
            return wrap_sync(self, sock, *args, **named)
        if url.scheme == "https":
            return wrap_sync(ssl.create_default_context(), sock, server_hostname=url.hostname)
        # Of a proxy that the program names by itself. What is said through its tunnel must not be said without TLS.
        if not at_base(sock, url):
            raise OSError(
                "spendgate: " + str(host) + " is reached through no proxy here, and this connection leads to one. "
                "Nothing was sent. Take the proxy out of the client's settings."
            )
        timeout = sock.gettimeout()
        plain = PlainSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        plain.settimeout(timeout)
        plain.vendor_host = host
        return plain

    def wrap_buffers(self, incoming, outgoing, server_side=False, server_hostname=None, session=None):
        url = base_of(server_hostname)
        if url is None:
            return wrap_bio(self, incoming, outgoing, server_side, server_hostname, session)
        if url.scheme == "https":
            return wrap_bio(ssl.create_default_context(), incoming, outgoing, False, url.hostname)
        plain = PlainObject(incoming, outgoing)
        plain.vendor_host = server_hostname
        return plain

    socket.socket = Socket
    ssl.SSLContext.wrap_socket = wrap_socket
    ssl.SSLContext.wrap_bio = wrap_buffers


if any(os.environ.get(name) for name in _BASES.values()) or any(_VAULT.search(value) for value in os.environ.values()):
    _install()
_run_next_sitecustomize()
