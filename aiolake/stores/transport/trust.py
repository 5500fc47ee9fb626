"""TLS contexts: loading the system's certificates takes 20 ms, so each is made once."""

from __future__ import annotations

import functools
import ssl

from aiolake.errors import InvalidInputError
from aiolake.stores.transport.values import Tls

__all__ = ["trusted"]


@functools.lru_cache(maxsize=32)
def trusted(tls: Tls) -> ssl.SSLContext:
    """The context that checks certificates so.

    Raises:
        InvalidInputError: The file of certificates is not there, or holds none.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(
            f"the CA file {tls.ca_file!r} could not be read as PEM certificates: {error}",
            path=tls.ca_file,
        ) from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
