"""Targets of requests to Google Cloud Storage."""

from __future__ import annotations

import pytest

from aiolake import urls
from aiolake.errors import InvalidInputError
from aiolake.stores._gcs.place import Place, place_of
from aiolake.stores.transport.values import Tls


def place(url: str = "gs://my-bucket/a b/ü", **named: str) -> Place:
    return place_of(urls.parse(url), named.get("endpoint"), Tls(), named.get("user_project"))


def test_an_objects_whole_name_is_one_segment() -> None:
    assert place().media("log/1%+#") == (
        "/storage/v1/b/my-bucket/o/a%20b%2F%C3%BC%2Flog%2F1%25%2B%23?alt=media"
    )


def test_a_bucket_without_a_prefix() -> None:
    root = place("gcs://my-bucket")
    assert root.prefix == ""
    assert root.url == "gcs://my-bucket"
    assert root.name("log/1") == "log/1"


def test_the_root_is_shown_by_one_scheme() -> None:
    urls_of = {place(f"{scheme}://my-bucket/p/").url for scheme in ("gs", "gcs", "gcp")}
    assert urls_of == {"gcs://my-bucket/p"}


def test_a_listing_asks_for_names_and_sizes_alone() -> None:
    assert place("gcs://my-bucket/p").listing("log/", 3, "t=+") == (
        "/storage/v1/b/my-bucket/o?prefix=p%2Flog%2F&maxResults=3"
        "&fields=nextPageToken%2Citems%28name%2Csize%29&pageToken=t%3D%2B"
    )


def test_create_only_is_a_condition_of_a_multipart_upload() -> None:
    root = place("gcs://my-bucket/p")
    target = root.upload(root.upload_query(generation="0"))
    assert target.startswith("/upload/storage/v1/b/my-bucket/o?uploadType=multipart&")
    assert "&ifGenerationMatch=0" in target
    assert "ifGenerationMatch" not in root.upload(root.upload_query())


def test_who_pays_is_named_in_every_request() -> None:
    root = place("gcs://my-bucket/p", user_project="pro ject")
    targets = [
        root.media("a"),
        root.media("a", "7"),
        root.meta("a"),
        root.removal("a"),
        root.listing("", 1, None),
        root.upload(root.upload_query()),
    ]
    for target in targets:
        assert target.count("?") == 1
        assert target.endswith("userProject=pro%20ject"), target


def test_another_endpoint_may_have_a_path() -> None:
    root = place("gcs://my-bucket/p", endpoint="http://127.0.0.1:4443/base/")
    assert root.origin.url == "http://127.0.0.1:4443"
    assert root.meta("a").startswith("/base/storage/v1/b/my-bucket/o/p%2Fa?")


@pytest.mark.parametrize("path", ["/storage/v1", "/storage/v1/b/"])
def test_a_path_that_is_added_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError, match="is the server's address alone"):
        place("gcs://my-bucket/p", endpoint=f"http://127.0.0.1:4443{path}")


@pytest.mark.parametrize("bucket", ["A", "My-Bucket", "b", "-ab", "ab-", "a b", "a%20b", "ü" * 4])
def test_what_can_be_no_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(InvalidInputError, match="cannot be a bucket"):
        place(f"gcs://{bucket}/p")


@pytest.mark.parametrize("endpoint", ["storage.local", "ftp://h", "http://", "http://u:p@h"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidInputError, match="endpoint_url"):
        place("gcs://my-bucket/p", endpoint=endpoint)
