"""``--creds``: how to open a cloud, in one word; the command line is no place for secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aiolake.credentials.secrets import has_secret
from aiolake.errors import InvalidInputError

__all__ = ["creds_of"]

_WORDS = ("ENV", "anonymous", "browser", "cache", "google_default")
_PROFILE = "profile:"


def creds_of(text: str | None) -> Any:
    """What ``creds=`` of the library is, for the text of ``--creds``.

    Args:
        text: A word, ``profile:NAME``, ``key=value,key=value`` of what is no secret, or the path
            of a JSON file.

    Raises:
        InvalidInputError: A secret, which every user of the machine could see; no such file; no
            JSON.
    """
    if text is None or text in _WORDS:
        return text
    if text.startswith(_PROFILE):
        return {"profile_name": text.removeprefix(_PROFILE)}
    path = Path(text).expanduser()
    if "=" in text and not path.exists():
        return _pairs(text)
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise InvalidInputError(
            f"--creds {text!r} is no file; it is the path of a JSON file, profile:NAME, "
            f"key=value, or one of {', '.join(_WORDS)}"
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"--creds: {text!r} could not be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInputError(f"--creds: {text!r} must hold a JSON object, as creds= takes it")
    return found


def _pairs(text: str) -> dict[str, Any]:
    pairs = [part.partition("=") for part in text.split(",")]
    found: dict[str, Any] = {name.strip(): value for name, _, value in pairs}
    if has_secret(found):
        raise InvalidInputError(
            "--creds: a secret on the command line can be seen by every user of the machine; put "
            "it into a JSON file that only you may read, or into the environment and say --creds "
            "ENV"
        )
    if found.get("verify") in ("true", "false"):
        found["verify"] = found["verify"] == "true"
    return found
