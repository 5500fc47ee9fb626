"""The servers, as fixtures of every test; each process of the run starts its own, when asked.

What a server needs on disk is built once all tests are collected, outside the tests' time limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

import pytest

from tests.servers.azure import AZURITE, AzureServer, azurite_server
from tests.servers.certificates import Certificate, make_certificate
from tests.servers.environments import Environment, UnavailableError, prepare
from tests.servers.gcs import FAKE_GCS, GcsServer, fake_gcs_server
from tests.servers.nginx import NGINX, NginxServer, nginx_server
from tests.servers.node import NODE, find_node
from tests.servers.radosgw import RADOSGW, radosgw_server
from tests.servers.s3 import (
    MINISTACK,
    MOTO,
    S3Server,
    checked_moto_server,
    ministack_server,
    moto_server,
)

T = TypeVar("T")

_NEEDS: dict[str, tuple[Environment, ...]] = {
    "moto": (MOTO,),
    "moto_checked": (MOTO,),
    "ministack": (MINISTACK,),
    "radosgw": (RADOSGW,),
    "nginx": (NGINX,),
    "fake_gcs": (FAKE_GCS,),
    "azurite": (AZURITE,),
    "azurite_oauth": (AZURITE,),
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the collected tests need."""
    if session.config.option.collectonly:
        return
    asked = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    wanted = [needed for name in _NEEDS if name in asked for needed in _NEEDS[name]]
    if AZURITE in wanted and find_node() is None:
        wanted.insert(0, NODE)
    prepare(dict.fromkeys(wanted))


@contextmanager
def _or_skipped(server: AbstractContextManager[T]) -> Iterator[T]:
    """The server; what cannot be had on this machine skips, everything else fails."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(server)
        except UnavailableError as error:
            pytest.skip(str(error))
        yield found


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """S3 by moto: fast, takes any key."""
    with _or_skipped(moto_server()) as server:
        yield server


@pytest.fixture(scope="session")
def moto_checked() -> Iterator[S3Server]:
    """S3 by a moto that checks signatures and knows one key."""
    with _or_skipped(checked_moto_server()) as server:
        yield server


@pytest.fixture(scope="session")
def ministack() -> Iterator[S3Server]:
    """S3 by ministack, with an STS whose keys expire."""
    with _or_skipped(ministack_server()) as server:
        yield server


@pytest.fixture(scope="session")
def radosgw() -> Iterator[S3Server]:
    """S3 by Ceph's gateway; needs Debian's packages, so for lanes alone."""
    with _or_skipped(radosgw_server()) as server:
        yield server


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[GcsServer]:
    """Google Cloud Storage by fake-gcs-server."""
    with _or_skipped(fake_gcs_server()) as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[AzureServer]:
    """Azure's blob service by azurite, with the account's key."""
    with _or_skipped(azurite_server()) as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1, and the authority that signed it."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def azurite_oauth(certificate: Certificate) -> Iterator[AzureServer]:
    """Azure's blob service by an azurite with TLS, which takes bearer tokens too."""
    with _or_skipped(azurite_server(certificate)) as server:
        yield server


@pytest.fixture(scope="session")
def nginx(certificate: Certificate) -> Iterator[NginxServer]:
    """Static files by nginx; needs Debian's packages, so for lanes alone."""
    with _or_skipped(nginx_server(certificate)) as server:
        yield server
