"""The log-in that ``"browser"`` saves and ``"cache"`` uses: a file of the user's alone."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from aiolake.errors import InvalidInputError

__all__ = ["load", "path_in", "save"]


def path_in(env: Mapping[str, str], name: str) -> Path:
    """Where a file of this user's configuration lies.

    ``$AIOLAKE_CONFIG_DIR``, or ``aiolake`` in ``$XDG_CONFIG_HOME`` (``~/.config``); on macOS in
    ``~/Library/Application Support``.
    """
    given = env.get("AIOLAKE_CONFIG_DIR")
    if given:
        return Path(given).expanduser() / name
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/aiolake").expanduser() / name
    home = env.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "aiolake" / name


def load(path: Path) -> dict[str, Any] | None:
    """What is saved; ``None`` where nothing is.

    Raises:
        InvalidInputError: Others may read the file, or it is damaged.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInputError(
            f"the saved log-in {path} cannot be read: {error.strerror}", path=str(path)
        ) from error
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(file.fileno())
        if mode.st_uid != os.geteuid() or stat.S_IMODE(mode.st_mode) & 0o077:
            raise InvalidInputError(
                f"the saved log-in {path} must be this user's alone: chmod 600 {path}, or remove "
                "it and log in again",
                path=str(path),
            )
        data = file.read()
    try:
        found: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InvalidInputError(
            f"the saved log-in {path} is damaged; remove it and log in again", path=str(path)
        ) from error
    return found


def save(path: Path, value: Mapping[str, Any]) -> None:
    """Write it whole, readable by this user alone (0600, the directory 0700)."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(msgspec.json.encode(value))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
