"""Addresses of datasets, parsed and made canonical. Pure values: nothing is looked up."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

import msgspec

from aiolake.errors import InvalidInputError

__all__ = ["Address", "Reference", "parse", "parse_link", "split_reference", "without_user"]

_ALIASES = {
    "mem": "mem",
    "file": "file",
    "s3": "s3",
    "gcs": "gcs",
    "gs": "gcs",
    "gcp": "gcs",
    "az": "az",
    "azure": "az",
    "al": "al",
    "hub": "al",
    "http": "http",
    "https": "https",
}
_WEB = ("http", "https")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_ONE_SLASH = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):/(?!/)")
_NAME = re.compile(r"^(?!.*\.\.)[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*$")


class Address(msgspec.Struct, frozen=True):
    """Where a dataset is.

    Attributes:
        scheme: ``mem``, ``file``, ``s3``, ``gcs``, ``az``, ``al``, ``http`` or ``https``.
        path: What follows ``scheme://``: a bucket and prefix, or an absolute directory; no ``/``
            at its end.
        query: Of an ``http(s)://`` dataset that was given with one. It may be a signature, so it
            is shown nowhere.
    """

    scheme: str
    path: str
    query: str = ""

    def __str__(self) -> str:
        # parse() reads "%20" in a file:// address as a space; a directory may really be named so.
        path = self.path.replace("%", "%25") if self.scheme == "file" else self.path
        return f"{self.scheme}://{path}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"


class Reference(msgspec.Struct, frozen=True):
    """A dataset, perhaps at a branch, tag or snapshot: what ``URL@ref`` means."""

    url: str
    name: str | None = None
    snapshot: int | None = None


def parse(url: str | os.PathLike[str]) -> Address:
    """Parse a dataset's address.

    Args:
        url: ``mem://name``, ``file:///abs``, ``file://rel``, ``/abs``, ``./rel``, ``rel``,
            ``s3://bucket/prefix``, ``gcs://`` (``gs``, ``gcp``), ``az://account/container/prefix``
            (``azure``), ``al://org/name`` (``hub``), ``http(s)://host/prefix``; or a path object.

    Raises:
        InvalidInputError: Empty, an unknown scheme, or a part missing.
    """
    text = os.fspath(url) if isinstance(url, os.PathLike) else url
    if not isinstance(text, str):
        raise InvalidInputError(
            f"a dataset's address must be text or a path, got {type(text).__name__}"
        )
    if not text.strip():
        raise InvalidInputError("the dataset's address is empty; try './flowers' or 's3://b/p'")
    if "\x00" in text:
        raise InvalidInputError("a dataset's address must not hold a NUL character", url=text)
    match = _SCHEME.match(text)
    if match is None:
        _refuse_one_slash(text)
        return Address("file", _local(text))
    scheme = _ALIASES.get(match.group(1).lower())
    rest = text[match.end() :]
    if scheme is None:
        known = ", ".join(f"{name}://" for name in _ALIASES)
        raise InvalidInputError(
            f"unknown scheme {match.group(1)!r} in {text!r}; known are {known}", url=text
        )
    if scheme == "file":
        if not rest:
            raise InvalidInputError(f"{text!r} names no directory", url=text)
        return Address("file", _local(unquote(rest)))
    if scheme not in _WEB:
        return Address(scheme, _remote(scheme, rest, text))
    place, _, query = rest.partition("#")[0].partition("?")
    if "@" in place.partition("/")[0]:
        raise InvalidInputError(
            f"an address of {scheme}:// holds no user and password: it is shown and stored; give "
            "them with creds={'username': ..., 'password': ...}"
        )
    return Address(scheme, _remote(scheme, place, text), query)


def _refuse_one_slash(text: str) -> None:
    """``Path("s3://bucket/x")`` has become ``s3:/bucket/x``, which is no local directory."""
    match = _ONE_SLASH.match(text)
    if match is None or match.group(1).lower() not in _ALIASES:
        return
    scheme, rest = match.group(1), text[match.end() :]
    meant = f"{scheme}:///{rest}" if scheme.lower() == "file" else f"{scheme}://{rest}"
    raise InvalidInputError(
        f"{text!r} lacks a slash: write {meant!r} as text (a Path drops one), or './{text}' for a "
        "local directory",
        url=text,
    )


def _local(path: str) -> str:
    return os.path.abspath(Path(path).expanduser() if path.startswith("~") else path)


def _remote(scheme: str, rest: str, text: str) -> str:
    needed = {"mem": 1, "s3": 1, "gcs": 1, "az": 2, "al": 2, "http": 1, "https": 1}[scheme]
    parts = rest.rstrip("/").split("/")
    shown = text if scheme not in _WEB else f"{scheme}://{parts[0]}"
    if len(parts) < needed or not all(parts) or any(p in (".", "..") for p in parts):
        forms = {
            "mem": "mem://name",
            "s3": "s3://bucket/prefix",
            "gcs": "gcs://bucket/prefix",
            "az": "az://account/container/prefix",
            "al": "al://org/name",
        }
        form = forms.get(scheme, f"{scheme}://host/prefix")
        raise InvalidInputError(f"{shown!r} is not of the form {form}", url=shown)
    return "/".join(parts)


def parse_link(url: str) -> Address:
    """Parse the address of one object outside a dataset, as a reference holds it.

    Raises:
        InvalidInputError: A relative path, an unknown scheme, no object named, or a path that
            means another than it says: ``.``, ``..``, a backslash, or an encoded one of these.
    """
    match = _SCHEME.match(url)
    if match is None:
        if not url.startswith("/"):
            raise InvalidInputError(
                f"a link is an absolute path or a url such as s3://bucket/cat.jpg, got {url!r:.200}"
            )
        scheme, path = "file", url
    else:
        address = parse(url)
        scheme = address.scheme
        path = url[match.end() :] if scheme != "file" else unquote(url[match.end() :])
    if scheme == "file" and not path.startswith("/"):
        raise InvalidInputError(f"a link to a file is absolute: file:///data/cat.jpg, got {url!r}")
    if scheme in _WEB and "@" in path.partition("/")[0]:
        raise InvalidInputError(
            "a link holds no user and password: whoever may read it, reads them"
        )
    _refuse_winding(scheme, path, url)
    return Address(scheme, os.path.normpath(path) if scheme == "file" else path)


def _refuse_winding(scheme: str, path: str, url: str) -> None:
    """A path must lie where its text says, whoever reads it, or a prefix of it means nothing."""
    place = path if scheme not in _WEB else re.split("[?#]", path)[0]
    encoded = scheme != "file" and re.search("%(2e|2f|5c|00)", place, re.I)
    if encoded or "\\" in place or any(part in (".", "..") for part in place.split("/")):
        raise InvalidInputError(
            "the path of a link holds no '.', '..', backslashes, or these encoded; got "
            f"{place!r:.200}"
        )
    if place.endswith("/"):
        raise InvalidInputError(f"a link names an object, and {place!r} ends in a slash")


def split_reference(text: str) -> Reference:
    """Split ``URL@branch``, ``URL@tag`` or ``URL@17`` at its last ``@``.

    An ``@`` whose right side is no possible name (it holds ``://``, say, or spaces) belongs to
    the address.
    """
    url, at, name = text.rpartition("@")
    if not at or not url or not _NAME.match(name):
        return Reference(text)
    if name.isdecimal():
        return Reference(url, snapshot=int(name))
    return Reference(url, name=name)


def without_user(url: str) -> str:
    """A server's URL for messages: what may be a password before its ``@`` is left out."""
    before, at, host = url.rpartition("@")
    scheme, slashes, _ = before.rpartition("//")
    return f"{scheme}{slashes}...@{host}" if at else url
