"""The server that plays Google Cloud Storage does what the tests of our store take for granted."""

from __future__ import annotations

from tests.servers.gcs import GcsServer
from tests.servers.race import race


def test_fake_gcs_keeps_bytes_and_gives_ranges(fake_gcs: GcsServer) -> None:
    bucket = fake_gcs.new_bucket()
    path = f"{fake_gcs.path(bucket, 'a b/ä+%')}?alt=media"
    fake_gcs.upload(bucket, "a b/ä+%", b"0123456789").expect(200)
    assert fake_gcs.request("GET", path).expect(200).body == b"0123456789"
    part = fake_gcs.request("GET", path, headers={"range": "bytes=2-4"}).expect(206)
    assert part.body == b"234"
    fake_gcs.request("GET", fake_gcs.path(bucket, "missing")).expect(404)


def test_fake_gcs_lets_one_of_twenty_create(fake_gcs: GcsServer) -> None:
    bucket = fake_gcs.new_bucket()
    statuses, won = race(lambda body: fake_gcs.upload(bucket, "log/1", body, generation=0))
    assert statuses == {200: 1, 412: 19}
    path = fake_gcs.path(bucket, "log/1")
    assert fake_gcs.request("GET", f"{path}?alt=media").body == won
