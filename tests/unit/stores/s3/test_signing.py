"""Signatures are those of botocore, byte for byte."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from aiolake.credentials.values import AwsCredential
from aiolake.stores._s3.reads import SignedReads
from aiolake.stores._s3.signing import EMPTY_SHA256, Signer, encoded_path, encoded_query
from aiolake.stores.transport.lane.head import request_bytes

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
keys = texts.filter(lambda key: key.strip("/") == key and "//" not in key and key)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
secrets = st.text("abcXYZ0189+/=", min_size=1, max_size=40)
times = st.datetimes(datetime(2015, 1, 1), datetime(2100, 1, 1)).map(
    lambda time: time.replace(tzinfo=UTC)
)


def by_botocore(
    credential: AwsCredential,
    region: str,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    now: datetime,
) -> dict[str, str]:
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    request.context["payload_signing_enabled"] = True
    signer = auth.S3SigV4Auth(
        Credentials(
            credential.access_key_id, credential.secret_access_key, credential.session_token
        ),
        "s3",
        region,
    )
    with mock.patch.object(auth, "get_current_datetime", return_value=now):
        signer.add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    key=keys,
    query=st.dictionaries(texts.filter(bool), texts, max_size=4),
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"]),
    headers=st.dictionaries(words.map(lambda w: f"x-amz-meta-{w}"), words, max_size=3),
    secret=secrets,
    token=st.none() | secrets,
    region=words,
    body=st.binary(max_size=50),
    now=times,
)
def test_it_signs_as_botocore_does(
    key: str,
    query: dict[str, str],
    method: str,
    headers: dict[str, str],
    secret: str,
    token: str | None,
    region: str,
    body: bytes,
    now: datetime,
) -> None:
    credential = AwsCredential("AKIAEXAMPLE", secret, token)
    path, parameters = f"/bucket/{encoded_path(key)}", encoded_query(query.items())
    host = "s3.example.com:9000"
    url = f"http://{host}{path}" + (f"?{parameters}" if parameters else "")
    expected = by_botocore(credential, region, method, url, headers, body, now)
    sha256 = hashlib.sha256(body).hexdigest()
    ours = Signer(region).headers(
        credential, method, path, parameters, {"host": host, **headers}, sha256, now
    )
    for name, value in ours.items():
        assert expected[name] == value, name


def test_the_documented_example() -> None:
    """Of "GET Object" in AWS's own description of the algorithm."""
    credential = AwsCredential("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"}
    now = datetime(2013, 5, 24, tzinfo=UTC)
    signed = Signer("us-east-1").headers(
        credential, "GET", "/test.txt", "", headers, EMPTY_SHA256, now
    )
    assert signed["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_the_day_key_is_kept_and_changes_with_the_day_and_the_secret() -> None:
    signer = Signer("r")
    now = datetime(2024, 1, 1, 23, 59, 59, tzinfo=UTC)
    later = datetime(2024, 1, 2, tzinfo=UTC)

    def sign(secret: str, at: datetime) -> str:
        credential = AwsCredential("A", secret)
        given: dict[str, Any] = {"host": "h"}
        return signer.headers(credential, "GET", "/", "", given, EMPTY_SHA256, at)["authorization"]

    first, other_day, other_secret = sign("a", now), sign("a", later), sign("b", now)
    assert len({first, other_day, other_secret}) == 3
    assert sign("a", now) == first


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("a b/c", "a%20b/c"),
        ("a+b&c=d?#", "a%2Bb%26c%3Dd%3F%23"),
        ("100%", "100%25"),
        ("ä/日", "%C3%A4/%E6%97%A5"),
        ("~-._", "~-._"),
    ],
)
def test_paths_are_encoded_once(key: str, encoded: str) -> None:
    assert encoded_path(key) == encoded


def test_queries_are_sorted_after_encoding() -> None:
    assert encoded_query([("b", "2 3"), ("a", ""), ("B", "/")]) == "B=%2F&a=&b=2%203"


@given(
    key=keys,
    start=st.integers(0, 1 << 50),
    nbytes=st.integers(1, 1 << 40),
    headers=st.dictionaries(
        st.sampled_from(["x-amz-request-payer", "a-header", "zz-header"]),
        st.from_regex(r"[a-z0-9=;/-]{1,20}", fullmatch=True),
    ),
    token=st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,40}", fullmatch=True),
    now=times,
)
def test_reads_that_are_put_together_are_those_of_headers(
    key: str, start: int, nbytes: int, headers: dict[str, str], token: str | None, now: datetime
) -> None:
    credential, signer = AwsCredential("AKIAEXAMPLE", "secret", token), Signer("eu-west-1")
    path, host = f"/bucket/{encoded_path(key)}", "s3.example.com:9000"
    ranged = {**headers, "range": f"bytes={start}-{start + nbytes - 1}"}
    signed = signer.headers(
        credential, "GET", path, "", {"host": host, **ranged}, EMPTY_SHA256, now
    )
    expected = request_bytes("GET", path, host, {**ranged, **signed})
    reads = SignedReads(signer.at(credential, now), host, headers)
    for _ in range(2):
        assert reads.request(path.encode(), start, start + nbytes) == expected


def test_reads_serve_one_second_of_one_credential_at_one_server() -> None:
    signer, credential = Signer("r"), AwsCredential("A", "s")
    now = datetime(2024, 1, 1, 12, 0, 0, tzinfo=UTC)
    reads = SignedReads(signer.at(credential, now), "h", {})
    same = signer.at(credential, now.replace(microsecond=999_999))
    assert reads.serves(same, "h")
    assert not reads.serves(same, "other")
    assert not reads.serves(signer.at(credential, now.replace(second=1)), "h")
    assert not reads.serves(signer.at(AwsCredential("A", "s"), now), "h")
