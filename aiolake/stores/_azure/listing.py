"""Pages of List Blobs, out of the XML they come in. Pure, and ``read_page`` nearly so.

Source: https://learn.microsoft.com/rest/api/storageservices/list-blobs
"""

from __future__ import annotations

import asyncio
from typing import Any, cast
from urllib.parse import unquote
from xml.etree import ElementTree

from aiolake.errors import TransientStoreError
from aiolake.stores.base import Buffer, ListPage, ObjectMeta

__all__ = ["PageParser", "list_query", "read_page"]

_FOLDER = "hdi_isfolder"
_SLICE_NBYTES = 64 << 10
"""About 2 ms of work."""


def list_query(prefix: str, limit: int, token: str | None) -> list[tuple[str, str]]:
    """The parameters of the request; without a delimiter, so that blobs of all depths come.

    Metadata comes too, since it tells directories of a hierarchical namespace from blobs.
    """
    query = [("restype", "container"), ("comp", "list"), ("include", "metadata")]
    query.append(("maxresults", str(limit)))
    if prefix:
        query.append(("prefix", prefix))
    if token:
        query.append(("marker", token))
    return query


async def read_page(body: Buffer, root: str) -> ListPage:
    """A page, read a slice in each turn of the loop.

    Args:
        body: The XML.
        root: A prefix that keys are told without.
    """
    parser, view = PageParser(root), memoryview(body)
    for start in range(0, len(view), _SLICE_NBYTES):
        if start:
            await asyncio.sleep(0)
        parser.feed(view[start : start + _SLICE_NBYTES])
    return parser.page()


class PageParser:
    """Reads one page in pieces: a thousand blobs are 0.8 MB and take longer than a loop may wait.

    ``feed`` all of it, then ``page()``. Directories are left out.

    Args:
        root: A prefix that keys are told without.

    Raises:
        TransientStoreError: It is no such page: cut short, or of something between us.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._parser: ElementTree.XMLPullParser[Any] = ElementTree.XMLPullParser(("end",))
        self._outermost = ""
        self._objects: list[ObjectMeta] = []
        self._token: str | None = None

    def feed(self, data: bytes | memoryview) -> None:
        """Read the next piece."""
        try:
            self._parser.feed(bytes(data))
            self._take()
        except ElementTree.ParseError as error:
            raise _no_xml(error) from error

    def page(self) -> ListPage:
        """What the page holds; it may be empty and still have a token."""
        try:
            self._parser.close()
            self._take()
        except ElementTree.ParseError as error:
            raise _no_xml(error) from error
        if self._outermost != "EnumerationResults":
            raise TransientStoreError(
                f"the answer to a listing is XML of another kind, <{self._outermost}>; is the "
                "endpoint that of a Blob service?"
            )
        return ListPage(tuple(self._objects), self._token)

    def _take(self) -> None:
        for event in self._parser.read_events():
            element = cast(tuple[str, ElementTree.Element], event)[1]
            self._outermost = element.tag
            if element.tag == "Blob":
                meta = _object(element, self._root)
                self._objects += [] if meta is None else [meta]
                element.clear()
            elif element.tag == "NextMarker":
                self._token = element.text or None


def _no_xml(error: ElementTree.ParseError) -> TransientStoreError:
    return TransientStoreError(
        f"the answer to a listing is no whole XML ({error}); if it stays so, something between "
        "here and the Blob service answers in its place"
    )


def _object(blob: ElementTree.Element, root: str) -> ObjectMeta | None:
    name = _name(blob)
    if not name.startswith(root) or name == root or _is_directory(blob):
        return None
    size = blob.findtext("Properties/Content-Length")
    return ObjectMeta(name[len(root) :], int(size or 0))


def _name(blob: ElementTree.Element) -> str:
    """A name with characters that XML has none for comes percent-encoded, and is marked so."""
    element = blob.find("Name")
    if element is None:
        return ""
    text = element.text or ""
    return unquote(text) if element.get("Encoded") == "true" else text


def _is_directory(blob: ElementTree.Element) -> bool:
    kind = blob.findtext("Properties/ResourceType")
    return kind == "directory" or blob.findtext(f"Metadata/{_FOLDER}") == "true"
