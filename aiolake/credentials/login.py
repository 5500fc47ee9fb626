"""Logging in with a browser: what is asked, and what comes back. Pure.

Source: RFC 8252 (a loopback redirect of a native app), RFC 7636 (PKCE).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

__all__ = ["Reply", "Request", "challenge_of", "new_request", "reply_to", "url_of"]

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>aiolake</title></head>
<body style="font: 1.2em sans-serif; margin: 4em auto; max-width: 34em"><h1>{title}</h1>
<p>{words}</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt to log in.

    Attributes:
        state: Comes back with the answer to this request, and with no other.
        verifier: Shows that who exchanges the code is who asked for it.
    """

    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the browser is told, and what it brought.

    Attributes:
        status: Of HTTP.
        page: For the user's eyes.
        code: To be exchanged for a token; ``None`` where this is no answer to the request.
        refusal: The word for why not, where the user or the server said no.
    """

    status: str
    page: str
    code: str | None = field(default=None, repr=False)
    refusal: str | None = None

    def encoded(self) -> bytes:
        """As HTTP."""
        body = self.page.encode()
        head = (
            f"HTTP/1.1 {self.status}\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n"
            "Referrer-Policy: no-referrer\r\n\r\n"
        )
        return head.encode() + body


def new_request() -> Request:
    """Random values of 256 and 384 bits."""
    return Request(secrets.token_urlsafe(32), secrets.token_urlsafe(48))


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def url_of(endpoint: str, client_id: str, redirect: str, scope: str, request: Request) -> str:
    """The address that asks the user for consent, and for a token that can be renewed."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect,
        "response_type": "code",
        "scope": scope,
        "state": request.state,
        "code_challenge": challenge_of(request.verifier),
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
    }
    return f"{endpoint}?{urlencode(query)}"


def reply_to(head: bytes, request: Request) -> Reply:
    """What to answer a browser's request, and what it says.

    Args:
        head: Its first lines, up to the empty one.
        request: Whose answer is waited for; what has another state is not heard.
    """
    line = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(line) != 3 or line[0] != "GET":
        return _reply("400 Bad Request", "Not this way", "This address takes one kind of answer.")
    parts = urlsplit(line[1])
    if parts.path != "/":
        return _reply("404 Not Found", "Nothing here", "There is nothing at this address.")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if not hmac.compare_digest(query.get("state", "").encode(), request.state.encode()):
        return _reply(
            "400 Bad Request",
            "Another log-in",
            "This is not the answer to the log-in that is waited for. Start it again.",
        )
    if query.get("code"):
        words = "You are logged in. You may close this window; the program goes on."
        return _reply("200 OK", "Done", words, code=query["code"])
    refusal = query.get("error", "no code came back")[:100]
    words = f"The log-in was refused ({refusal}). You may close this window."
    return _reply("200 OK", "Not logged in", words, refusal=refusal)


def _reply(
    status: str, title: str, words: str, *, code: str | None = None, refusal: str | None = None
) -> Reply:
    page = _PAGE.format(title=html.escape(title), words=html.escape(words))
    return Reply(status, page, code, refusal)
