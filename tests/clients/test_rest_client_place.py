"""A server's address may have a path: that of one chain of several."""

from __future__ import annotations

import pytest

from streaming.clients.rest_client import RestClient


@pytest.mark.parametrize(
    ("server", "location"),
    [
        ("https://live.example", "/whep/1/secret"),
        ("https://live.example/", "/whep/1/secret"),
        ("https://live.example/chains/asia", "/chains/asia/whep/1/secret"),
        ("https://live.example/chains/asia/", "/chains/asia/whep/1/secret"),
    ],
)
def test_a_resource_is_found_below_the_servers_own_address(server: str, location: str) -> None:
    client = RestClient(server)
    path = client.path_of(location)
    assert path == "/whep/1/secret"
    assert client.server + path == "https://live.example" + location
    assert client.path_of(None) is None
