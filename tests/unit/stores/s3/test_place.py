from __future__ import annotations

import pytest

from aiolake.stores._s3.place import place_at
from aiolake.stores.transport.values import Origin


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_a_server_is_the_same_whether_buckets_are_its_hosts_or_its_paths(style: str) -> None:
    origin, base = Origin.parse("https://s3.eu-west-1.amazonaws.com")
    place = place_at(origin, base, "box", "eu-west-1", style)
    assert place.server == "https://s3.eu-west-1.amazonaws.com"
