"""Which references may be followed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake import Reference, References, urls
from aiolake.credentials.http_creds import Linked
from aiolake.dataset.links import Allowed, allowed, check_links
from aiolake.errors import InvalidInputError, PermissionDeniedError
from aiolake.format.manifest import Source


def ask(url: str, *prefixes: str, scheme: str = "s3", key: str | None = None) -> Allowed:
    roots = [urls.parse(prefix) for prefix in check_links(prefixes)]
    return allowed(Source(url, None, key), scheme, roots, {"ours": {"token": "t"}})


@pytest.mark.parametrize(
    ("url", "prefix", "root", "key"),
    [
        ("s3://b/dir/cat.jpg", "s3://b/dir/", "s3://b/dir", "cat.jpg"),
        ("s3://b/dir/cat.jpg", "s3://b", "s3://b", "dir/cat.jpg"),
        ("s3://b/dir/cat.jpg", "s3://b/dir/cat.jpg", "s3://b/dir", "cat.jpg"),
        ("gs://b/cat.jpg", "gcs://b/", "gcs://b", "cat.jpg"),
        ("https://host/a/cat.jpg?v=1", "https://host/a/", "https://host/a", "cat.jpg?v=1"),
    ],
)
def test_what_lies_below_a_prefix_is_followed_without_anybodys_credentials(
    url: str, prefix: str, root: str, key: str
) -> None:
    found = ask(url, "s3://other/", prefix)
    # Of a web server that the opener named, also a private one is meant; still without a token.
    nobodys = Linked("anonymous") if url.startswith("https") else "anonymous"
    assert (str(found.root), found.key, found.creds) == (root, key, nobodys)


@pytest.mark.parametrize(
    "url",
    [
        "s3://b/directory/cat.jpg",
        "s3://b/dir",
        "s3://b/di/cat.jpg",
        "s3://b2/dir/x/cat.jpg",
        "gcs://b/dir/x/cat.jpg",
        "s3://b/dir/../secret",
        "s3://b/dir/x/../../secret",
        "s3://b/dir/x/%2e%2e/secret",
        "s3://b/dir/x/..%2Fsecret",
        "s3://b/dir/x/..\\secret",
        "s3://b/dir/x/./cat.jpg",
        "file:///dir/x/cat.jpg",
        "mem://b/dir/x",
        "/dir/x/cat.jpg",
        "cat.jpg",
        "ftp://b/dir/x/cat.jpg",
    ],
)
def test_what_lies_elsewhere_or_winds_out_of_a_prefix_is_refused(url: str) -> None:
    with pytest.raises(PermissionDeniedError, match="may not follow"):
        ask(url, "s3://b/dir/x/", "/dir", "mem://b/dir")


def test_files_are_followed_from_files_only() -> None:
    found = ask("file:///data/a%20b/50%25.jpg", "/data", scheme="file")
    assert (str(found.root), found.key, found.creds) == ("file:///data", "a b/50%.jpg", None)
    assert ask("/x/y", "/", scheme="file").key == "x/y"
    for scheme in ("mem", "s3"):
        with pytest.raises(PermissionDeniedError, match="from file: datasets only"):
            ask("/data/x", "/data", scheme=scheme)
    with pytest.raises(PermissionDeniedError):
        ask("file:///data/%2e%2e/secret", "/data", scheme="file")


def test_a_supplied_credential_opens_what_names_it_and_nothing_else() -> None:
    found = ask("s3://b/dir/cat.jpg", key="ours")
    assert (str(found.root), found.key, found.creds) == ("s3://b", "dir/cat.jpg", {"token": "t"})
    for scheme, url, key in (("s3", "s3://b/x", "theirs"), ("file", "/data/x", "ours")):
        with pytest.raises(PermissionDeniedError):
            ask(url, scheme=scheme, key=key)


def test_the_refusal_says_what_to_allow_and_no_secret() -> None:
    with pytest.raises(PermissionDeniedError) as caught:
        ask("https://host/dir/cat.jpg?signature=abc")
    assert "links=['https://" in caught.value.message
    assert "/dir/']" in caught.value.message
    assert "abc" not in caught.value.message
    with pytest.raises(PermissionDeniedError, match="no user and password") as caught:
        ask("https://me:pw@host/dir/cat.jpg", "https://host/dir")
    assert "pw" not in caught.value.message


@pytest.mark.parametrize("links", ["s3://b", b"x", 3, {"s3://b"}, None])
def test_links_are_a_list(links: object) -> None:
    with pytest.raises(InvalidInputError, match="links is a list of prefixes"):
        check_links(links)  # type: ignore[arg-type]


@pytest.mark.parametrize("links", [[""], [3], ["s3://"], ["nope://x"]])
def test_prefixes_are_addresses(links: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        check_links(links)


parts = st.sampled_from(["a", "b", "..", ".", "%2e%2e", "a%2fb", "", "a b", "ü", "%"])


@given(prefix=st.lists(st.sampled_from("ab"), min_size=1, max_size=3), path=st.lists(parts))
def test_what_is_followed_is_always_below_the_prefix(prefix: list[str], path: list[str]) -> None:
    base = "s3://bucket/" + "/".join(prefix)
    url = "s3://bucket/" + "/".join(path)
    try:
        found = ask(url, base)
    except PermissionDeniedError:
        return
    assert url == f"{found.root}/{found.key}"
    assert url == base or url.startswith(f"{base}/")
    assert not {"..", "."} & set(found.key.split("/"))


@pytest.mark.parametrize(
    "fields",
    [
        {"url": ""},
        {"url": "cat.jpg"},
        {"url": "s3://b/\n"},
        {"url": "s3://b/dir/"},
        {"url": "s3://b/" + "x" * 9000},
        {"url": 5},
        {"url": "/a", "offset": -1},
        {"url": "/a", "offset": 1.0},
        {"url": "/a", "length": -1},
        {"url": "/a", "length": True},
        {"url": "/a", "etag": ""},
        {"url": "/a", "creds_key": 3},
    ],
)
def test_references_that_cannot_be_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        Reference(**fields)  # type: ignore[arg-type]


def test_many_references_are_cut_like_a_list() -> None:
    many = References("/a/x.tar", [0, 10, 30], [10, 20, 5], etag="e", creds_key="k")
    assert many[1] == Reference("file:///a/x.tar", 10, 20, "e", "k")
    assert list(many[1:]) == [many[1], many[2]]
    assert len(many[:0]) == 0
    for offsets, lengths in (([1], [1, 2]), ([-1], [1]), ([0.5], [1]), ([[1]], [[1]])):
        with pytest.raises(InvalidInputError):
            References("/a", offsets, lengths)
