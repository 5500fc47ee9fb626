"""Requests to token endpoints, by httpx; the only module that imports it.

A cancelled request makes httpx lose a slot of its pool. Each exchange here has a pool of its own,
and belongs to a keeper's task, which nobody who waits for a credential cancels.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from aiolake.errors import TransientStoreError, UnauthenticatedError

__all__ = ["Answer", "exchange"]

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a token endpoint; of any status.

    Attributes:
        status: Of HTTP.
        headers: By names in lower case.
        body: All of it; holds secrets, and is in no repr.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<Answer {self.status}>"


async def exchange(
    method: str,
    url: str,
    what: str,
    *,
    form: Mapping[str, str] | None = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request; one attempt, redirects not followed.

    Args:
        method: Of HTTP.
        url: Of the endpoint.
        what: For messages: ``"the token endpoint of ..."``.
        form: A body of a form's fields.
        json: A body of JSON.
        headers: Sent along.

    Raises:
        TransientStoreError: The endpoint could not be reached.
        UnauthenticatedError: The URL is none.
    """
    # Loading the system's certificates takes 20 ms.
    context = await asyncio.get_running_loop().run_in_executor(None, _trusted)
    try:
        async with httpx.AsyncClient(verify=context, timeout=_TIMEOUT_S) as client:
            response = await client.request(
                method, url, data=form, json=json, headers=dict(headers or {})
            )
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UnauthenticatedError(f"{what} has an address that is no URL: {error}") from error
    except httpx.HTTPError as error:
        words = str(error) or type(error).__name__
        raise TransientStoreError(
            f"{what} could not be reached ({words}); check the network, and its proxy (HTTPS_PROXY)"
        ) from error
    named = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, named, response.content)


@functools.cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
