"""Stores of Google Cloud Storage, for tests."""

from __future__ import annotations

import uuid
from typing import Any

from aiolake import urls
from aiolake.stores.factory import open_store
from aiolake.stores.gcs import GcsStore
from aiolake.stores.network import Network
from tests.credentials.google.cloud import Cloud


def opened(cloud: Cloud, network: Network, bucket: str, creds: Any = None) -> GcsStore:
    """A store under a prefix of its own; by default a service account's."""
    given = creds if creds is not None else cloud.account(endpoint_url=cloud.url)
    url = f"gs://{bucket}/{uuid.uuid4().hex}/a b%ü"
    store = open_store(urls.parse(url), creds=given, network=network)
    assert isinstance(store, GcsStore)
    return store
