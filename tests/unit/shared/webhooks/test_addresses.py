"""Which addresses webhooks may call."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.shared.webhooks.addresses import is_public

PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::200e", "64:ff9b::5db8:d822"]
NOT_PUBLIC = [
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.8", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "100::1", "2001:db8::1", "3fff::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1"),
    *(
        "fe80::1%eth0",
        "2606:4700::1%2",
        "ff02::1",
        "ff0e::1",
        "::5db8:d822",
        "64:ff9b:1::5db8:d822",
        "4000::1",
        "5f00::1",
    ),
]


def embeddings(address: IPv4Address) -> list[IPv6Address]:
    """Every IPv6 address that packets to an IPv4 address may be sent to."""
    last, prefix = int(address), int(IPv6Address("2606:4700::")) >> 64
    teredo_server, public = 0x2001_0000 << 96, int(IPv4Address("93.184.216.34"))
    return [
        IPv6Address(int(IPv6Address("::ffff:0:0")) | last),
        IPv6Address(int(IPv6Address("::ffff:0:0:0")) | last),
        IPv6Address(int(IPv6Address("64:ff9b::")) | last),
        IPv6Address(0x2002 << 112 | last << 80 | 1),
        IPv6Address(teredo_server | last << 64 | (public ^ 0xFFFF_FFFF)),
        IPv6Address(teredo_server | public << 64 | (last ^ 0xFFFF_FFFF)),
        IPv6Address(prefix << 64 | 0x0000_5EFE << 32 | last),
        IPv6Address(prefix << 64 | 0x0200_5EFE << 32 | last),
        IPv6Address(last),
    ]


@pytest.mark.parametrize(("addresses", "public"), [(PUBLIC, True), (NOT_PUBLIC, False)], ids=["public", "not public"])
def test_only_globally_routable_unicast_is_public(addresses: list[str], public: bool) -> None:
    """Given addresses of every special range, and ordinary ones, I expect the ordinary ones alone to be public."""
    assert [address for address in addresses if is_public(address) is not public] == []


@given(st.sampled_from([text for text in NOT_PUBLIC if ":" not in text]) | st.ip_addresses(v=4).map(str))
def test_what_is_embedded_counts(text: str) -> None:
    """Given an IPv4 address that is not public, I expect none of the addresses to be public that it is embedded in."""
    address = IPv4Address(text)
    if not is_public(text):
        assert [str(one) for one in embeddings(address) if is_public(str(one))] == []
