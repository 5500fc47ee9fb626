"""Checks of what users write as ``creds={...}``. Pure; no message shows a value."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping
from typing import Any

from aiolake.errors import InvalidInputError

__all__ = ["alternative", "check_keys", "text_of", "text_problem", "trust_of"]


def check_keys(
    creds: Mapping[Any, Any],
    known: Collection[str],
    scheme: str,
    *,
    either_case: Collection[str] = (),
    others: str = "",
) -> dict[str, Any]:
    """The entries that have a value, by known names.

    Args:
        creds: As the user wrote it.
        known: Names, in lower case.
        scheme: For messages: ``s3``.
        either_case: Names that may be written in upper case too.
        others: What else may be given, for who means none of them.

    Raises:
        InvalidInputError: An unknown name, or one in upper case; says the right one.
    """
    out: dict[str, Any] = {}
    for name, value in creds.items():
        if isinstance(name, str) and name.lower() in either_case:
            name = name.lower()
        if name not in known:
            raise InvalidInputError(_unknown(name, known, scheme, others), scheme=scheme)
        if name in out:
            raise InvalidInputError(f"creds= of {scheme}:// has {name!r} twice", scheme=scheme)
        if value is not None:
            out[name] = value
    return out


def _unknown(name: Any, known: Collection[str], scheme: str, others: str) -> str:
    if not isinstance(name, str):
        return f"the keys of creds= are text, got one of type {type(name).__name__}"
    start = f"creds= of {scheme}:// has no key {name!r}"
    if name.lower() in known:
        return f"{start}; write it in lower case: {name.lower()!r}"
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if near:
        return f"{start}; did you mean {near[0]!r}?"
    return f"{start}; there are {', '.join(sorted(known))}{others}"


def text_of(creds: Mapping[str, Any], name: str, scheme: str) -> str | None:
    """A value that must be text, and not empty; ``None`` where it is not given.

    Raises:
        InvalidInputError: It is something else, is empty, has spaces around it, or a line break.
    """
    value = creds.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInputError(
            f"{name!r} in creds= of {scheme}:// must be text, got {type(value).__name__}",
            scheme=scheme,
        )
    problem = text_problem(value)
    if problem is not None:
        raise InvalidInputError(f"{name!r} in creds= of {scheme}:// {problem}", scheme=scheme)
    return value


def text_problem(value: str) -> str | None:
    """What is wrong with a text that was pasted, or read from somewhere; ``None`` if nothing is."""
    if not value.strip():
        return "is empty; is the variable it comes from set?"
    if value != value.strip():
        return "has spaces or a line break around it, as texts read from files do; strip it"
    if not value.isprintable():
        return "holds a line break, or another character that is not printed; copy it anew"
    return None


def alternative(creds: Mapping[str, Any], names: Collection[str], scheme: str) -> str | None:
    """The one value that is given under any of several names.

    Raises:
        InvalidInputError: Two of them say different things.
    """
    found = {name: text_of(creds, name, scheme) for name in names}
    values = {value for value in found.values() if value is not None}
    if len(values) > 1:
        given = " and ".join(repr(name) for name, value in found.items() if value is not None)
        raise InvalidInputError(f"creds= of {scheme}:// has both {given}; give one", scheme=scheme)
    return values.pop() if values else None


def trust_of(creds: Mapping[str, Any], scheme: str, name: str = "verify") -> bool | str:
    """Whether certificates are checked, or the path of a file of those to trust.

    Args:
        creds: The entries.
        scheme: For messages.
        name: Of the entry.

    Raises:
        InvalidInputError: It is something else.
    """
    value = creds.get(name)
    if value is None or isinstance(value, bool):
        return value is not False
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(path, str) and path:
        return os.path.abspath(os.path.expanduser(path))
    kind = "an empty text" if path == "" else type(value).__name__
    raise InvalidInputError(
        f"{name!r} in creds= of {scheme}:// is True, False, or the path of a file of CA "
        f"certificates; got {kind}",
        scheme=scheme,
    )
