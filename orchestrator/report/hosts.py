"""Which requests a server on loopback answers: those whose Host header names this machine.

A web page elsewhere can make a browser ask a server on loopback under a name of its own (DNS rebinding) and read the
answer. The browser still sends that name as the Host header.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

#: A Host header: a name or an IPv4 address, or an IPv6 address in brackets, and perhaps a port. Nothing else, such as
#: `user@`, a path or a second name behind a comma.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{0,5})?")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def names_loopback(host_header: str) -> bool:
    """Whether the Host header of a request, with or without a port, means this machine only."""
    found = _HOST.fullmatch(host_header.strip(" \t"))
    return found is not None and is_loopback(found[1])


def asks_loopback(host_headers: Sequence[str], target: str) -> bool:
    """Whether a request is for this machine only: its one Host header says so, and so does its target where that is a
    whole address (`GET http://name/ HTTP/1.1`), which counts more than the header (RFC 9112, 3.2.2)."""
    if len(host_headers) != 1 or not names_loopback(host_headers[0]):
        return False
    if target.startswith("/"):
        return True
    try:
        return names_loopback(urlsplit(target).netloc)
    except ValueError:  # such as http://[
        return False
