"""``--creds``: how to open a cloud, in one word; the command line is no place for secrets."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from aiolake.credentials.secrets import has_secret
from aiolake.errors import InvalidInputError

__all__ = ["creds_of"]

_WORDS = ("ENV", "anonymous", "browser", "cache", "google_default")
_PROFILE = "profile:"
_LONGEST = 255


def creds_of(text: str | None) -> Any:
    """What ``creds=`` of the library is, for the text of ``--creds``.

    Args:
        text: A word, ``profile:NAME``, ``key=value,key=value`` of what is no secret, or the path
            of a JSON file.

    Raises:
        InvalidInputError: A secret, which every user of the machine could see; no such file; no
            JSON; no ``key=value``.
    """
    if text is None or text in _WORDS:
        return text
    if text.startswith(_PROFILE):
        return {"profile_name": text.removeprefix(_PROFILE)}
    path = _file(text)
    if path is not None:
        return _read(path)
    if "=" in text and not text.lstrip().startswith("{"):
        return _pairs(text)
    raise InvalidInputError(_unknown(text))


def _file(text: str) -> Path | None:
    """The file or directory of that path; ``None`` where nothing is."""
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, of nobody's home, with a NUL
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"--creds: '{path}' could not be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInputError(f"--creds: '{path}' must hold a JSON object, as creds= takes it")
    if isinstance(found.get("expires_at"), str):
        found["expires_at"] = _time(found["expires_at"])
    return found


def _time(text: str) -> datetime | str:
    """JSON has no times; what is none stays a text, which the library refuses."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _unknown(text: str) -> str:
    """What may be given instead; the text is shown only where it can be no secret."""
    near = next((word for word in _WORDS if word.lower() == text.strip().lower()), None)
    if near is not None:
        return f"--creds {text!r}: did you mean {near!r}?"
    shown = f" {text!r}" if text.endswith(".json") and len(text) < _LONGEST else ""
    return (
        f"--creds{shown} is no file; it is the path of a JSON file, profile:NAME, key=value, or "
        f"one of {', '.join(_WORDS)}; secrets go into a file, not on the command line"
    )


def _pairs(text: str) -> dict[str, Any]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise InvalidInputError(
            "--creds: each part between commas is key=value, such as endpoint_url=https://host"
        )
    found: dict[str, Any] = {name.strip(): value for name, _, value in pairs}
    if has_secret(found):
        raise InvalidInputError(
            "--creds: a secret on the command line can be seen by every user of the machine; put "
            "it into a JSON file that only you may read, or into the environment and say --creds "
            "ENV"
        )
    return {name: _typed(name, value) for name, value in found.items()}


def _typed(name: str, value: str) -> Any:
    """A value as the library takes it: not all are text."""
    if name == "verify" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return int(value) if name == "duration_seconds" and value.isdecimal() else value
