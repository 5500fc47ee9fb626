"""The servers that play S3 do what the tests of our store take for granted."""

from __future__ import annotations

import time
from dataclasses import replace

from tests.servers.race import race
from tests.servers.s3 import S3Server

ONLY_IF_MISSING = {"if-none-match": "*"}


def test_moto_keeps_bytes_and_gives_ranges(moto: S3Server) -> None:
    keeps_bytes(moto)


def test_moto_lets_one_of_twenty_create(moto: S3Server) -> None:
    one_creates(moto)


def test_moto_takes_any_key(moto: S3Server) -> None:
    replace(moto, access_key="anybody", secret_key="whatever").new_bucket()


def test_a_checking_moto_takes_its_user_alone(moto_checked: S3Server) -> None:
    keeps_bytes(moto_checked)
    bucket = moto_checked.new_bucket()
    for wrong in (
        replace(moto_checked, secret_key="x" * 40),
        replace(moto_checked, access_key="AKIAIOSFODNN7EXAMPLE"),
    ):
        wrong.request("PUT", wrong.path(bucket, "a"), b"x").expect(403)


def keeps_bytes(server: S3Server) -> None:
    bucket = server.new_bucket()
    path = server.path(bucket, "a b/ä+%")
    server.request("PUT", path, b"0123456789").expect(200)
    assert server.request("GET", path).expect(200).body == b"0123456789"
    part = server.request("GET", path, headers={"range": "bytes=2-4"}).expect(206)
    assert part.body == b"234"
    listed = server.request("GET", f"/{bucket}?list-type=2&prefix=a%20b").expect(200)
    assert "<Key>a b/ä+%</Key>" in listed.body.decode()
    server.request("GET", server.path(bucket, "missing")).expect(404)


def one_creates(server: S3Server) -> None:
    path = server.path(server.new_bucket(), "log/1")
    statuses, won = race(lambda body: server.request("PUT", path, body, headers=ONLY_IF_MISSING))
    assert statuses == {200: 1, 412: 19}
    assert server.request("GET", path).body == won


def test_ministack_keeps_bytes_and_gives_ranges(ministack: S3Server) -> None:
    keeps_bytes(ministack)


def test_ministack_lets_one_of_twenty_create(ministack: S3Server) -> None:
    one_creates(ministack)


def test_ministack_takes_a_session_until_it_has_expired(ministack: S3Server) -> None:
    bucket = ministack.new_bucket()
    keys = ministack.session(2)
    lent = replace(
        ministack,
        access_key=keys["AccessKeyId"],
        secret_key=keys["SecretAccessKey"],
        session_token=keys["SessionToken"],
    )
    lent.request("PUT", lent.path(bucket, "a"), b"x").expect(200)
    wrong = replace(lent, secret_key="x" * 40)
    refused = wrong.request("GET", wrong.path(bucket, "a")).expect(403)
    assert b"<Code>SignatureDoesNotMatch</Code>" in refused.body
    time.sleep(2.1)
    late = lent.request("GET", lent.path(bucket, "a")).expect(400)
    assert b"<Code>ExpiredToken</Code>" in late.body
