"""The contract of stores on Ceph's gateway, and what of that gateway our store relies on.

Not collected with the tests: the lane ``radosgw`` names this file.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.servers.race import race
from tests.servers.s3 import S3Server
from tests.stores.s3.test_contract import OnS3


class TestS3OnRadosgw(OnS3):
    prefix = "ä+%20"

    @pytest.fixture(autouse=True)
    def _server(self, radosgw: S3Server) -> None:
        self.server = radosgw


class TestS3OfAWholeBucketOnRadosgw(OnS3):
    @pytest.fixture(autouse=True)
    def _server(self, radosgw: S3Server) -> None:
        self.server = radosgw


def test_one_of_twenty_creates(radosgw: S3Server) -> None:
    path = radosgw.path(radosgw.new_bucket(), "log/1")
    create = {"if-none-match": "*"}
    statuses, won = race(lambda body: radosgw.request("PUT", path, body, headers=create))
    assert statuses == {200: 1, 412: 19}
    assert radosgw.request("GET", path).body == won


def test_every_signature_is_checked(radosgw: S3Server) -> None:
    path = radosgw.path(radosgw.new_bucket(), "a")
    wrong = replace(radosgw, secret_key="x" * 40)
    refused = wrong.request("PUT", path, b"x").expect(403)
    assert b"<Code>SignatureDoesNotMatch</Code>" in refused.body
    radosgw.request("GET", path).expect(404)
