"""Pages of ListObjectsV2, and requests to delete many objects. Pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from urllib.parse import unquote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aiolake.errors import TransientStoreError
from aiolake.stores.base import Buffer, ListPage, ObjectMeta

__all__ = ["DeleteProblem", "delete_body", "delete_problems", "list_query", "md5_of", "parse_page"]

DeleteProblem = tuple[str, str, str]
"""An object that was not deleted: its key, S3's code and message."""


def list_query(prefix: str, limit: int, token: str | None) -> list[tuple[str, str]]:
    """The parameters of a request for a page; keys come encoded, for XML cannot hold all."""
    query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(limit))]
    if prefix:
        query.append(("prefix", prefix))
    if token is not None:
        query.append(("continuation-token", token))
    return query


def parse_page(body: Buffer, root: str) -> ListPage:
    """A page, its keys without ``root`` before them.

    Raises:
        TransientStoreError: It is no such page: cut short, or of something between us.
    """
    outer = _parsed(body, "ListBucketResult")
    encoded = outer.findtext("{*}EncodingType") == "url"
    objects = []
    for item in outer.iterfind("{*}Contents"):
        text = item.findtext("{*}Key") or ""
        key = unquote_plus(text) if encoded else text
        if key.startswith(root) and key != root:
            objects.append(ObjectMeta(key[len(root) :], int(item.findtext("{*}Size") or 0)))
    more = outer.findtext("{*}IsTruncated") == "true"
    token = outer.findtext("{*}NextContinuationToken") if more else None
    return ListPage(tuple(objects), token)


def delete_body(keys: Sequence[str]) -> bytes:
    """What a request to delete up to 1,000 objects carries."""
    items = "".join([f"<Object><Key>{_xml(key)}</Key></Object>" for key in keys])
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<Delete xmlns="{space}"><Quiet>true</Quiet>{items}</Delete>'.encode()


def _xml(key: str) -> str:
    return escape(key, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})


def delete_problems(body: Buffer) -> list[DeleteProblem]:
    """The objects that were not deleted."""
    outer = _parsed(body, "DeleteResult")
    found = []
    for item in outer.iterfind("{*}Error"):
        code = item.findtext("{*}Code") or ""
        if code not in ("NoSuchKey", "NoSuchVersion"):
            found.append((item.findtext("{*}Key") or "", code, item.findtext("{*}Message") or ""))
    return found


def md5_of(body: Buffer) -> str:
    """``Content-MD5``, which every S3 wants of a request to delete many objects."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _parsed(body: Buffer, expected: str) -> ElementTree.Element:
    try:
        outer = ElementTree.fromstring(bytes(body))
    except ElementTree.ParseError as error:
        raise TransientStoreError(
            f"an answer of S3 is no whole XML ({error}); if it stays so, something between here "
            "and S3 answers in its place"
        ) from error
    if outer.tag.rpartition("}")[2] != expected:
        raise TransientStoreError(
            f"an answer of S3 is <{outer.tag.rpartition('}')[2]}>, <{expected}> was expected; is "
            "endpoint_url that of an S3 store?"
        )
    return outer
