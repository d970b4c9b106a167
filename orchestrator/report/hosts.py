"""Which requests a server on loopback answers: those whose Host header names this machine.

A web page elsewhere can make a browser ask a server on loopback under a name of its own (DNS rebinding) and read the
answer. The browser still sends that name as the Host header.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def names_loopback(host_header: str) -> bool:
    """Whether the Host header of a request, with or without a port, means this machine only."""
    try:
        return is_loopback(urlsplit(f"//{host_header}").hostname or "")
    except ValueError:  # such as "[", which is no address
        return False
