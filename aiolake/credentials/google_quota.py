"""The project whose quota requests count against: the environment's, or a file's. Pure.

Source: https://cloud.google.com/docs/quotas/set-quota-project; ``google.auth.default``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from aiolake.credentials.values import BearerCredential
from aiolake.errors import InvalidInputError

__all__ = ["quota_project", "quota_project_of", "with_quota_project"]

_VARIABLE = "GOOGLE_CLOUD_QUOTA_PROJECT"
_KEY = "quota_project_id"
_KINDS = ("authorized_user", "external_account", "impersonated_service_account")
"""The kinds of file in which it is read; service accounts have a project of their own."""
_PROJECT = re.compile(r"[A-Za-z0-9.:_-]+")


def quota_project(env: Mapping[str, str]) -> str | None:
    """The project that the environment names.

    Raises:
        InvalidInputError: It can be none.
    """
    return _checked(env.get(_VARIABLE), _VARIABLE)


def quota_project_of(info: Mapping[str, Any]) -> str | None:
    """The project that a credential file names.

    Raises:
        InvalidInputError: It can be none.
    """
    if info.get("type") not in _KINDS:
        return None
    return _checked(info.get(_KEY), f"{_KEY!r} of the credential file")


def with_quota_project(credential: BearerCredential, project: str | None) -> BearerCredential:
    """A token with the project that is sent beside it."""
    return msgspec.structs.replace(credential, quota_project=project)


def _checked(project: Any, what: str) -> str | None:
    if not project:
        return None
    if not isinstance(project, str) or not _PROJECT.fullmatch(project):
        raise InvalidInputError(f"{what} is {project!r:.80}, which can be no project's id")
    return project
