"""Signatures as AWS and Azure describe them, written again for the tests and slow on purpose.

Source: "Authenticating Requests (AWS Signature Version 4)" and "Authorize with Shared Key" of the
providers' documentation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, quote, unquote, urlsplit

__all__ = ["aws_headers", "azure_headers"]


def aws_headers(
    method: str,
    url: str,
    body: bytes,
    *,
    access_key: str,
    secret_key: str,
    region: str,
    service: str = "s3",
    session_token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers of a request, the signature among them."""
    parts = urlsplit(url)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent |= {"host": parts.netloc, "x-amz-date": now, "x-amz-content-sha256": digest}
    if session_token is not None:
        sent["x-amz-security-token"] = session_token
    names = ";".join(sorted(sent))
    query = sorted((quote(n, "-_.~"), quote(v, "-_.~")) for n, v in _parameters(parts.query))
    canonical = "\n".join(
        [
            method,
            quote(unquote(parts.path) or "/", "/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{sent[name].strip()}" for name in sorted(sent)),
            "",
            names,
            digest,
        ]
    )
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret_key}".encode()
    for part in (now[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashed}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return sent


def azure_headers(
    method: str,
    url: str,
    body: bytes,
    *,
    account: str,
    key: str,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers of a request to Azure's blob service, the signature among them."""
    parts = urlsplit(url)
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent |= {
        "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
        "x-ms-version": "2023-11-03",
        "content-length": str(len(body)),
    }
    standard = (
        "content-encoding content-language content-length content-md5 content-type date "
        "if-modified-since if-match if-none-match if-unmodified-since range"
    )
    lines = [method]
    for name in standard.split():
        value = sent.get(name, "")
        lines.append("" if (name, value) == ("content-length", "0") else value)
    lines += [f"{name}:{sent[name]}" for name in sorted(sent) if name.startswith("x-ms-")]
    lines.append(f"/{account}{parts.path}")
    lines += [f"{name.lower()}:{value}" for name, value in sorted(_parameters(parts.query))]
    signature = hmac.digest(base64.b64decode(key), "\n".join(lines).encode(), "sha256")
    sent["authorization"] = f"SharedKey {account}:{base64.b64encode(signature).decode()}"
    return sent


def _parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)
