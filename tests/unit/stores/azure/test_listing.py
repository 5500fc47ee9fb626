from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import TransientStoreError
from aiolake.stores._azure.listing import PageParser, list_query
from aiolake.stores.base import ListPage, ObjectMeta

HEAD = '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="box">'
TAIL = "</EnumerationResults>"
NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not set(name) & {"\ufffe", "\uffff"}
)


def blob(name: str, size: int, extra: str = "", metadata: str = "<Metadata />") -> str:
    return (
        f"<Blob>{name}<Properties><Etag>0x8D</Etag><Content-Length>{size}</Content-Length>"
        f"<Content-Type>text/plain</Content-Type><Content-MD5 />{extra}</Properties>"
        f"{metadata}<OrMetadata /></Blob>"
    )


def plain(name: str) -> str:
    return f"<Name>{escape(name)}</Name>"


def page(blobs: list[str], token: str = "", root: str = "", step: int = 7) -> ListPage:
    body = f"{HEAD}<Prefix /><Blobs>{''.join(blobs)}</Blobs><NextMarker>{token}</NextMarker>{TAIL}"
    return parsed(body.encode(), root, step)


def parsed(body: bytes, root: str = "", step: int = 1 << 16) -> ListPage:
    parser = PageParser(root)
    for start in range(0, len(body), step):
        parser.feed(body[start : start + step])
    return parser.page()


@given(st.lists(st.tuples(NAMES, st.integers(0, 1 << 50)), max_size=5), st.integers(1, 99))
def test_names_and_sizes_come_through_xml_whatever_the_pieces(
    blobs: list[tuple[str, int]], step: int
) -> None:
    found = page([blob(plain(f"r/{name}"), size) for name, size in blobs], root="r/", step=step)
    assert found == ListPage(tuple(ObjectMeta(name, size) for name, size in blobs), None)


def test_a_name_without_characters_in_xml_comes_encoded() -> None:
    found = page([blob('<Name Encoded="true">a%EF%BF%BFb%2520</Name>', 1), blob(plain("a%20"), 2)])
    assert found.objects == (ObjectMeta("a\uffffb%20", 1), ObjectMeta("a%20", 2))


def test_a_page_may_be_empty_and_have_a_token() -> None:
    assert page([], "2!92!a&amp;b") == ListPage((), "2!92!a&b")
    body = f"{HEAD}<Prefix>x</Prefix><Blobs /><NextMarker />{TAIL}".encode()
    assert parsed(body) == ListPage((), None)


def test_directories_of_a_hierarchical_namespace_are_no_objects() -> None:
    folder = "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>"
    other = "<Metadata><colour>red</colour><Name>x</Name></Metadata>"
    kind = "<ResourceType>directory</ResourceType>"
    blobs = [
        blob(plain("log"), 0, metadata=folder),
        blob(plain("log/9"), 0, kind),
        blob(plain("log/9/1"), 5, "<ResourceType>file</ResourceType>", other),
    ]
    assert page(blobs).objects == (ObjectMeta("log/9/1", 5),)


def test_what_does_not_lie_under_the_root_is_left_out() -> None:
    blobs = [blob(plain(name), 1) for name in ("r/", "r/a", "rb", "r")]
    assert page(blobs, root="r/").objects == (ObjectMeta("a", 1),)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no whole XML"),
        (f"{HEAD}<Blobs>".encode(), "no whole XML"),
        (b"\xff\xfe", "no whole XML"),
        (b"<html><body>Log in</body></html>", "<html>"),
    ],
)
def test_what_is_no_page_may_come_from_something_between(body: bytes, message: str) -> None:
    with pytest.raises(TransientStoreError, match=message):
        parsed(body)


def test_a_listing_asks_for_all_depths_and_for_metadata() -> None:
    assert list_query("log/", 1, None) == [
        ("restype", "container"),
        ("comp", "list"),
        ("include", "metadata"),
        ("maxresults", "1"),
        ("prefix", "log/"),
    ]
    assert ("marker", "x") in list_query("", 1000, "x")
    assert "delimiter" not in dict(list_query("a", 5, "x"))
