"""Certificates for servers on the loopback interface."""

from __future__ import annotations

from dataclasses import dataclass
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


def make_certificate(where: Path) -> Certificate:
    """A certificate for ``127.0.0.1`` and ``localhost``, signed by an authority nobody else has."""
    authority = trustme.CA()
    issued = authority.issue_cert(LOCALHOST, "localhost")
    made = Certificate(where / "ca.pem", where / "chain.pem", where / "key.pem")
    authority.cert_pem.write_to_path(made.ca)
    issued.private_key_pem.write_to_path(made.key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(made.chain, append=True)
    return made
