"""Which addresses of the network are public: globally routable unicast, also what another address stands for."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# All that IANA has given out to be routed.
_UNICAST = IPv6Network("2000::/3")
# Prefixes that end in an IPv4 address: mapped, translated (RFC 2765), and by a NAT64 (RFC 6052).
_IPV4_LAST = [IPv6Network(prefix) for prefix in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
# Older versions of Python do not know all of these: for documentation (RFC 9637), for protocols (RFC 6890), and for
# relays of 6to4 (RFC 7526).
_SPECIAL_6 = IPv6Network("3fff::/20")
_SPECIAL_4 = [IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24")]
_ISATAP = {0x0000_5EFE, 0x0200_5EFE}


def is_public(text: str) -> bool:
    """Return whether an address, and each that is embedded in it, is globally routable unicast.

    Args:
        text: an address as getaddrinfo gives it, with a scope if it has one.

    Example:
        >>> is_public("93.184.216.34"), is_public("127.0.0.1"), is_public("64:ff9b::7f00:1"), is_public("224.0.0.1")
        (True, False, False, False)
    """
    # One with a scope is of this machine or its link.
    return "%" not in text and _is_public(ip_address(text))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        special = address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL_4)
        return address.is_global and not special
    embedded = list(_embedded(address))
    if not all(map(_is_public, embedded)):
        return False
    if any(address in prefix for prefix in _IPV4_LAST):
        return True
    return address in _UNICAST and address.is_global and not address.is_multicast and address not in _SPECIAL_6


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that packets to an address would go to."""
    number = int(address)
    if any(address in prefix for prefix in _IPV4_LAST) or (number >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
