from __future__ import annotations

import pytest

from tests.clouds.places import CLOUDS, Cloud, cloud_of, tried_clouds


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say which server a test will ask for, so that what it needs is built before the tests."""
    spec = getattr(item, "callspec", None)
    if isinstance(item, pytest.Function) and spec is not None and "cloud" in spec.params:
        item.fixturenames.append(CLOUDS[spec.params["cloud"]].server)
    if isinstance(item, pytest.Function) and spec is not None and "refused" in spec.params:
        server = spec.params["refused"].server
        item.fixturenames.append("fake_gcs" if server == "google" else server)


@pytest.fixture(params=tried_clouds())
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """An empty root on each cloud."""
    return cloud_of(request)
