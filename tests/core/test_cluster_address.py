"""The address of a cluster: what is one, and what is refused on one line with the form that is wanted."""

from __future__ import annotations

import pytest

from vesalius.core.cluster_address import ClusterAddress, read_address
from vesalius.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("ray://local", None, 6379),
        ("ray://head", "head", 6379),
        ("ray://head:7000", "head", 7000),
        ("ray://10.0.0.1:6379/", "10.0.0.1", 6379),
        ("ray://[::1]:6380", "::1", 6380),
        ("ray://[fe80::2]", "fe80::2", 6379),
    ],
)
def test_an_address_is_read_and_said_again(text: str, host: str | None, port: int) -> None:
    found = read_address(text)
    assert found == ClusterAddress(host, port)
    assert read_address(str(found)) == found


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("head:6379", "takes the address of a Ray cluster"),
        ("http://head:6379", "takes the address"),
        ("", "takes the address"),
        ("ray://", "needs a host"),
        ("ray://:6379", "needs a host"),
        ("ray://a/b:1", "needs a host"),
        ("ray://user@head:6379", "needs a host"),
        ("ray://::1:6379", "needs a host"),
        ("ray://[::1:6379", "needs a host"),
        ("ray://head:0", "a port from 1 to 65535"),
        ("ray://head:65536", "a port from 1 to 65535"),
        ("ray://head:six", "a port from 1 to 65535"),
        ("ray://head:", "a port from 1 to 65535"),
    ],
)
def test_what_is_no_address_is_refused_with_the_form_that_is_wanted(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word) as told:
        read_address(text)
    assert "ray://HOST:6379" in str(told.value) and "\n" not in str(told.value)


def test_the_port_of_rays_client_is_told_from_that_of_the_cluster() -> None:
    with pytest.raises(UsageError, match="port 10001 is that of Ray's client") as told:
        read_address("ray://head:10001")
    assert "ray://head:6379" in str(told.value)
