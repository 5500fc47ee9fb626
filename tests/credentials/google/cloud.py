"""A small Google: token endpoints that look at what they are shown, and a gate before a store.

What the real one answers is written at each handler; the store behind the gate, which looks at no
token, then takes those alone that were given out here and have not ended.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import aiohttp
import google_crc32c
import jwt
from aiohttp import web
from anyio.from_thread import start_blocking_portal
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from yarl import URL

__all__ = [
    "AWS_TYPE",
    "EMAIL",
    "Cloud",
    "another_private_key",
    "client_secrets",
    "running_cloud",
]

AWS_TYPE = "urn:ietf:params:aws:token-type:aws4_request"
EMAIL = "job@pro.iam.gserviceaccount.com"
_PASSED_ON = ("authorization", "range", "content-type", "accept-encoding")
_OF_A_HOP = ("content-length", "transfer-encoding", "connection", "date")
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def private_key() -> str:
    """The service account's, as its JSON holds it."""
    return _pem(_key())


def another_private_key() -> str:
    """One that the token endpoint does not know."""
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@dataclass
class Cloud:
    """What it is asked, and what it answers.

    Attributes:
        url: Of its endpoints, and of the store behind the gate.
        life_s: Of the tokens it gives.
        said_life_s: What it says of their life, if that is a lie.
        upstream: The store's address.
        issued: When each token ends, by ``time.monotonic()``.
        asked: How many tokens were asked for, by the way of asking.
        refused: How many requests to the store were refused.
        served: How many were passed on.
        uploads: How objects were uploaded, by ``uploadType``.
        projects: The quota project that each request to the store named, or ``None``.
        every_other_fails: Whether the first, third, fifth ... who ask for a token get a 503.
        failures: Answers to give to the next who ask for a token.
        refresh_tokens: Those that were not revoked.
        codes: Challenges and redirects of codes not exchanged yet.
        seen: The last form of each endpoint.
        denied: Permissions of the store that nobody has: ``storage.objects.list``.
    """

    url: str = ""
    life_s: float = 3600.0
    said_life_s: float | None = None
    upstream: str | None = None
    issued: dict[str, float] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    served: int = 0
    uploads: Counter[str] = field(default_factory=Counter)
    projects: list[str | None] = field(default_factory=list)
    every_other_fails: bool = False
    failures: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    refresh_tokens: set[str] = field(default_factory=lambda: {"refresh-1"})
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    seen: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)

    def account(self, **changes: Any) -> dict[str, Any]:
        """The JSON of a service account whose tokens this gives."""
        return {
            "type": "service_account",
            "project_id": "pro",
            "private_key_id": "k1",
            "private_key": private_key(),
            "client_email": EMAIL,
            "token_uri": f"{self.url}/token",
            **changes,
        }

    def log_in(self) -> dict[str, Any]:
        """The JSON that gcloud saves."""
        return {
            "type": "authorized_user",
            "client_id": "client",
            "client_secret": "client-secret",
            "refresh_token": "refresh-1",
            "token_uri": f"{self.url}/token",
        }

    def is_good(self, token: str | None) -> bool:
        """Whether a token was given out here and has not ended."""
        return token is not None and self.issued.get(token, 0.0) > time.monotonic()

    def revoke(self) -> None:
        """End every token."""
        self.issued.clear()

    def give(self, way: str) -> dict[str, Any]:
        """A new token, as the endpoints answer it."""
        token = f"ya29.{way}.{uuid.uuid4().hex}"
        self.issued[token] = time.monotonic() + self.life_s
        said = self.life_s if self.said_life_s is None else self.said_life_s
        return {"access_token": token, "expires_in": int(said), "token_type": "Bearer"}


class _Handlers:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._session: aiohttp.ClientSession | None = None

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        grant = form.get("grant_type", "")
        answers = {
            _JWT_BEARER: self._of_account,
            "refresh_token": self._of_refresh_token,
            "authorization_code": self._of_code,
            _EXCHANGE: self._of_exchange,
        }
        self.cloud.seen[grant.rpartition(":")[2]] = {**form, "headers": dict(request.headers)}
        self.cloud.asked[grant.rpartition(":")[2]] += 1
        if self.cloud.every_other_fails and self.cloud.asked.total() % 2:
            return web.json_response({"error": "backend"}, status=503)
        if self.cloud.failures:
            status, body = self.cloud.failures.pop(0)
            return web.json_response(body, status=status)
        return answers[grant](form)

    def _of_account(self, form: Mapping[str, str]) -> web.Response:
        try:
            claims = jwt.decode(
                form["assertion"],
                _key().public_key(),
                algorithms=["RS256"],
                audience=f"{self.cloud.url}/token",
            )
        except jwt.InvalidTokenError as error:
            return _refusal("invalid_grant", f"Invalid JWT Signature. {error}")
        assert claims["iss"] == EMAIL
        self.cloud.seen["claims"] = claims
        return web.json_response(self.cloud.give("account"))

    def _of_refresh_token(self, form: Mapping[str, str]) -> web.Response:
        if form["client_secret"] != "client-secret":
            return _refusal("invalid_client", "The provided client secret is invalid.", 401)
        if form["refresh_token"] not in self.cloud.refresh_tokens:
            return _refusal("invalid_grant", "Token has been expired or revoked.")
        return web.json_response(self.cloud.give("user"))

    def _of_code(self, form: Mapping[str, str]) -> web.Response:
        challenge, redirect = self.cloud.codes.pop(form["code"], ("", ""))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if shown != challenge or redirect != form["redirect_uri"]:
            return _refusal("invalid_grant", "Bad Request")
        refresh_token = f"refresh-{uuid.uuid4().hex}"
        self.cloud.refresh_tokens.add(refresh_token)
        return web.json_response({**self.cloud.give("code"), "refresh_token": refresh_token})

    def _of_exchange(self, form: Mapping[str, str]) -> web.Response:
        if form["subject_token_type"] == AWS_TYPE:
            self.cloud.seen["aws"] = json.loads(unquote(form["subject_token"]))
        elif form["subject_token"] != "subject-1":
            return _refusal("invalid_grant", "The subject token is not valid.")
        return web.json_response(self.cloud.give("exchange"))

    async def metadata(self, request: web.Request) -> web.Response:
        if request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=403)
        self.cloud.asked["metadata"] += 1
        return web.json_response(self.cloud.give("metadata"))

    async def subject(self, request: web.Request) -> web.Response:
        assert request.headers["X-Key"] == "k"
        return web.json_response({"value": "subject-1"})

    async def aws(self, request: web.Request) -> web.Response:
        """As the metadata service of AWS, which wants a session first."""
        if request.method == "PUT":
            assert request.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "300"
            return web.Response(text="session-1")
        assert request.headers["X-aws-ec2-metadata-token"] == "session-1"
        keys = {"AccessKeyId": "AKID", "SecretAccessKey": "hush", "Token": "token-1"}
        texts = {"zone": "eu-west-1b", "roles": "job", "roles/job": json.dumps(keys)}
        return web.Response(text=texts[request.match_info["path"]])

    async def impersonate(self, request: web.Request) -> web.Response:
        """As iamcredentials.googleapis.com answers generateAccessToken."""
        self.cloud.asked["impersonate"] += 1
        if not self.cloud.is_good(_bearer(request)):
            return web.json_response(
                {"error": {"code": 401, "message": "no token", "status": "UNAUTHENTICATED"}},
                status=401,
            )
        if request.match_info["account"].removesuffix(":generateAccessToken") != EMAIL:
            message = "Permission 'iam.serviceAccounts.getAccessToken' denied"
            return web.json_response(
                {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}},
                status=403,
            )
        self.cloud.seen["impersonate"] = await request.json()
        given = self.cloud.give("acting")
        until = datetime.now(UTC) + timedelta(seconds=self.cloud.life_s)
        expires = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        return web.json_response({"accessToken": given["access_token"], "expireTime": expires})

    async def auth(self, request: web.Request) -> web.Response:
        """Where a user logs in: this one says yes to everything."""
        query = request.query
        assert query["code_challenge_method"] == "S256"
        assert query["access_type"] == "offline"
        code = uuid.uuid4().hex
        self.cloud.seen["auth"] = dict(query)
        self.cloud.codes[code] = query["code_challenge"], query["redirect_uri"]
        back = URL(query["redirect_uri"]).with_query(state=query["state"], code=code)
        raise web.HTTPFound(back)

    async def gate(self, request: web.Request) -> web.Response:
        """The store; it refuses as the JSON API does."""
        cloud = self.cloud
        body = await request.read()
        cloud.projects.append(request.headers.get("x-goog-user-project"))
        if not cloud.is_good(_bearer(request)):
            cloud.refused += 1
            return web.json_response(_error(401, "authError", "Invalid Credentials"), status=401)
        permission = _permission(request)
        if permission in cloud.denied:
            message = (
                f"{EMAIL} does not have {permission} access to the Google Cloud Storage bucket. "
                f"Permission '{permission}' denied on resource (or it may not exist)."
            )
            return web.json_response(_error(403, "forbidden", message), status=403)
        assert cloud.upstream is not None
        if request.path.startswith("/upload/"):
            cloud.uploads[request.query["uploadType"]] += 1
            if not _has_its_checksum(request, body):
                message = "Provided CRC32C does not match the calculated one."
                return web.json_response(_error(400, "invalid", message), status=400)
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False)
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self._session.request(
            request.method,
            URL(cloud.upstream + request.raw_path, encoded=True),
            headers=headers,
            data=io.BytesIO(body),
        ) as answer:
            data = await answer.read()
            cloud.served += 1
            kept = {n: v for n, v in answer.headers.items() if n.lower() not in _OF_A_HOP}
            return web.Response(status=answer.status, headers=kept, body=data)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


def _permission(request: web.Request) -> str:
    if request.method != "GET":
        return "storage.objects.create"
    return "storage.objects.list" if request.path.endswith("/o") else "storage.objects.get"


def _error(status: int, reason: str, message: str) -> dict[str, Any]:
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return {"error": {"code": status, "message": message, "errors": errors}}


def _has_its_checksum(request: web.Request, body: bytes) -> bool:
    """Google's store compares; the one behind the gate does not."""
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    _, said, rest = body.split(b"--" + boundary + b"\r\n", 2)
    data = rest.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n--" + boundary + b"--\r\n")
    crc = google_crc32c.value(data).to_bytes(4, "big")
    expected: str = json.loads(said.partition(b"\r\n\r\n")[2])["crc32c"]
    return base64.b64encode(crc).decode() == expected


def _bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind == "Bearer" else None


def _refusal(code: str, description: str, status: int = 400) -> web.Response:
    return web.json_response({"error": code, "error_description": description}, status=status)


@contextmanager
def running_cloud(upstream: str | None = None) -> Iterator[Cloud]:
    """A small Google on a port of its own; before a store, where its address is given.

    It runs on a loop and in a thread of its own: its tasks are not the test's.
    """
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_running(upstream)) as cloud,
    ):
        yield cloud


@asynccontextmanager
async def _running(upstream: str | None) -> AsyncIterator[Cloud]:
    cloud = Cloud(upstream=upstream)
    handlers = _Handlers(cloud)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/token", handlers.token)
    app.router.add_get(
        "/computeMetadata/v1/instance/service-accounts/default/token", handlers.metadata
    )
    app.router.add_route("*", "/aws/{path:.*}", handlers.aws)
    app.router.add_get("/subject", handlers.subject)
    app.router.add_get("/auth", handlers.auth)
    app.router.add_post("/impersonate/{account}", handlers.impersonate)
    app.router.add_route("*", "/{path:.*}", handlers.gate)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        cloud.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield cloud
    finally:
        await handlers.aclose()
        await runner.cleanup()


def client_secrets(cloud: Cloud) -> dict[str, Any]:
    """What the console gives for a desktop client."""
    return {
        "installed": {
            "client_id": "client",
            "client_secret": "client-secret",
            "auth_uri": f"{cloud.url}/auth",
            "token_uri": f"{cloud.url}/token",
            "redirect_uris": ["http://localhost"],
        }
    }
