"""Addresses as the command line takes them: ``URL``, ``URL@branch``, ``URL@tag``, ``URL@17``."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from aiolake import urls
from aiolake.cli.creds import creds_of
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.open import open_dataset
from aiolake.dataset.session import Session
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.render.text import shown_path
from aiolake.urls import Reference, split_reference

__all__ = ["branch_of", "opened", "opened_whole"]

_Opening = Callable[..., Awaitable[Dataset]]


@asynccontextmanager
async def opened(
    address: str,
    session: Session | None = None,
    *,
    creds: str | None,
    links: Sequence[str] = (),
) -> AsyncIterator[Dataset]:
    """The dataset at an address, closed at the end.

    A name behind ``@`` is tried as a branch, then as a tag. Where there is no dataset before the
    ``@``, it may belong to the address.

    Args:
        address: The address.
        session: Share this session.
        creds: Of ``--creds``.
        links: Prefixes that references may be followed to.

    Raises:
        NotFoundError: No dataset, branch, tag or snapshot; near names are listed.
    """
    opening = partial(open_dataset, session=session, links=links, creds=creds_of(creds))
    async with await _open(address, opening) as dataset:
        yield dataset


@asynccontextmanager
async def opened_whole(address: str, *, creds: str | None) -> AsyncIterator[Dataset]:
    """The dataset at an address, for what concerns all of it.

    Raises:
        InvalidInputError: The address names a branch, a tag or a snapshot: a part would be meant.
        NotFoundError: As ``opened``.
    """
    async with opened(address, creds=creds) as dataset:
        _check_whole(address, dataset.url)
        yield dataset


def _check_whole(address: str, url: str) -> None:
    reference = split_reference(address)
    if reference.url != address and str(urls.parse(reference.url)) == url:
        raise InvalidInputError(
            "this concerns the whole dataset, with all branches, tags and snapshots; write "
            f"{reference.url}, without {address[len(reference.url) :]}"
        )


def branch_of(address: str) -> tuple[str, str | None]:
    """The dataset and the branch that an address names, to be written to.

    Raises:
        InvalidInputError: It names a snapshot.
    """
    reference = split_reference(address)
    if reference.snapshot is not None:
        raise InvalidInputError(
            f"{address} is a snapshot, which stays as it is; write {reference.url} (main), or "
            f"{reference.url}@BRANCH"
        )
    return reference.url, reference.name


async def _open(address: str, opening: _Opening) -> Dataset:
    reference = split_reference(address)
    try:
        return await _open_reference(reference, opening)
    except NotFoundError as error:
        if "url" not in error.context:
            raise
        if reference.url != address:
            try:
                return await opening(address)
            except NotFoundError:
                pass
        raise _with_near(error, reference.url) from error


async def _open_reference(reference: Reference, opening: _Opening) -> Dataset:
    url, name = reference.url, reference.name
    if reference.snapshot is not None:
        return await opening(url, snapshot=reference.snapshot)
    if name is None:
        return await opening(url)
    try:
        return await opening(url, branch=name)
    except NotFoundError as error:
        if "branch" not in error.context:
            raise
        return await _open_tag(url, name, opening, error)


async def _open_tag(url: str, name: str, opening: _Opening, no_branch: NotFoundError) -> Dataset:
    try:
        return await opening(url, tag=name)
    except NotFoundError as no_tag:
        if "tag" not in no_tag.context:
            raise
        # Both know what there is instead.
        message = f"{no_branch.message}. And {no_tag.message}"
        raise NotFoundError(message, name=name) from no_tag


def _with_near(error: NotFoundError, url: str) -> NotFoundError:
    near = near_directories(url)
    if not near:
        return error
    return NotFoundError(f"{error.message}; near it: {', '.join(near)}", **error.context)


def near_directories(url: str) -> list[str]:
    """Directories beside a local address whose names are like its own."""
    address = urls.parse(url)
    path = Path(address.path)
    if address.scheme != "file" or path.exists() or not path.parent.is_dir():
        return []
    beside = {entry.name: shown_path(entry) for entry in path.parent.iterdir() if entry.is_dir()}
    return [beside[name] for name in difflib.get_close_matches(path.name, beside, n=3)]
