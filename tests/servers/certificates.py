"""Certificates for servers on the loopback interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.servers.processes import LOCALHOST

__all__ = ["Certificate", "make_certificate"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: who signed, the server's chain, its key."""

    ca: Path
    chain: Path
    key: Path


def make_certificate(
    where: Path,
    *,
    names: Sequence[str] = (LOCALHOST, "localhost"),
    expires_in: timedelta | None = None,
) -> Certificate:
    """A certificate signed by an authority nobody else has.

    Args:
        where: The directory of the files.
        names: Of the server.
        expires_in: From now on; in ten years or so without it.
    """
    now = datetime.now(UTC)
    authority = trustme.CA()
    issued = authority.issue_cert(
        *names,
        not_before=None if expires_in is None else now - timedelta(days=90),
        not_after=None if expires_in is None else now + expires_in,
    )
    made = Certificate(where / "ca.pem", where / "chain.pem", where / "key.pem")
    authority.cert_pem.write_to_path(made.ca)
    issued.private_key_pem.write_to_path(made.key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(made.chain, append=True)
    return made
