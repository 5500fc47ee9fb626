"""Credentials of AWS, by aiobotocore."""

from __future__ import annotations

import asyncio
import functools
import os
import re
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiolake.credentials.aws_creds import AwsCreds, aws_credential_of
from aiolake.credentials.provider import CallableProvider, Provider, StaticProvider, digest
from aiolake.credentials.values import AnonymousCredential, AwsCredential, Credential
from aiolake.credentials.vendor_logs import keep_off_the_screen
from aiolake.errors import (
    AiolakeError,
    InvalidInputError,
    MissingExtraError,
    TransientStoreError,
    UnauthenticatedError,
)

if TYPE_CHECKING:
    from aiobotocore.session import AioSession
    from botocore.loaders import Loader

__all__ = ["AwsProvider", "RoleProvider", "aws_provider", "botocore_loader", "require_aiobotocore"]

_ENV = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_SETTINGS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_LEAST_DURATION_S = 900
_FILES = (
    "see credential_process and the files that ~/.aws/config or the environment names: are they "
    "there, and what they should be?"
)
_REFUSED = re.compile(r"non 200 response 4(?!08|29)\d\d from container metadata")


@functools.cache
def require_aiobotocore() -> None:
    """Refuse where the extra is not installed, without loading it.

    Raises:
        MissingExtraError: It is not.
    """
    from importlib.util import find_spec

    if find_spec("aiobotocore") is None or find_spec("aiohttp") is None:
        raise MissingExtraError(
            "s3:// needs packages that are not installed: pip install 'aiolake[s3]'", extra="s3"
        )


def aws_provider(creds: AwsCreds) -> Provider:
    """Who gets the credential that ``creds=`` describes; nothing is asked yet."""
    base = _base(creds)
    return base if creds.role is None else RoleProvider(base, creds)


def _base(creds: AwsCreds) -> Provider:
    if creds.kind == "anonymous":
        return StaticProvider(AnonymousCredential(), "nobody: requests are anonymous")
    if creds.keys is not None:
        return StaticProvider(creds.keys, "the creds= argument")
    if creds.function is not None:
        return CallableProvider(creds.function, aws_credential_of, (AwsCredential,))
    if creds.kind == "env":
        return EnvironmentProvider()
    return AwsProvider(creds.profile)


class EnvironmentProvider:
    """Keys of the environment, read anew each time."""

    source = "the environment (AWS_ACCESS_KEY_ID ...)"

    @property
    def identity(self) -> Hashable:
        """What the environment says now."""
        return ("aws", "env", digest(*map(os.environ.get, _ENV)))

    async def fetch(self) -> Credential:
        """The keys.

        Raises:
            UnauthenticatedError: They are not set.
        """
        key_id, secret, token = map(os.environ.get, _ENV)
        if not key_id or not secret:
            missing = _ENV[0] if not key_id else _ENV[1]
            raise UnauthenticatedError(
                f"creds='ENV' needs {missing}, which is not set; export it, or leave creds= out "
                "to look where the AWS command line looks"
            )
        return _credential(self.source, key_id, secret, token or None, None)


class AwsProvider:
    """AWS's own chain: environment, files of ``aws configure``, SSO, web identity, container, EC2.

    Args:
        profile: Of the files; the default one, or ``AWS_PROFILE``, without it.
    """

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        settings = digest(*map(os.environ.get, _SETTINGS))
        self.identity = ("aws", "chain", profile, settings)
        self._chain = "AWS's default chain" if profile is None else f"the AWS profile {profile!r}"
        self.source = self._chain

    async def fetch(self) -> Credential:
        """A credential, resolved anew: a session of botocore keeps what it found, and for longer
        than it may be good.
        """
        try:
            session = await _session(self._profile)
            found = await session.get_credentials()
        except Exception as error:
            raise _failure(error, self._chain) from error
        if found is None:
            raise UnauthenticatedError(
                f"{self._chain} has no credential: looked in the environment "
                "(AWS_ACCESS_KEY_ID ...), in ~/.aws/credentials and ~/.aws/config, for a web "
                "identity, a container's role and an EC2 instance's. Run 'aws configure' or 'aws "
                "sso login', give creds={'profile_name': ...} or keys, or creds='anonymous' for a "
                "public bucket"
            )
        try:
            # Not refreshed once more, as get_frozen_credentials() does near the end of a life.
            frozen = getattr(found, "_frozen_credentials", None)
            frozen = frozen or await found.get_frozen_credentials()
        except Exception as error:
            raise _failure(error, self._chain) from error
        self.source = f"{self._chain} ({found.method})"
        expires = _utc(getattr(found, "_expiry_time", None))
        keys = frozen.access_key, frozen.secret_key, frozen.token or None
        return _credential(self.source, *keys, expires)


class RoleProvider:
    """Sessions of a role, assumed with another credential.

    Args:
        base: Gets the credential that may assume it.
        creds: The role, and how.
    """

    def __init__(self, base: Provider, creds: AwsCreds) -> None:
        self._base = base
        self._creds = creds
        self.source = f"the role {creds.role}, assumed with {base.source}"
        self.identity = (
            "aws",
            "role",
            creds.role,
            creds.external_id,
            creds.role_session_name,
            creds.duration_seconds,
            base.identity,
        )

    async def fetch(self) -> Credential:
        """A new session of the role."""
        base = await self._base.fetch()
        creds = self._creds
        given: dict[str, Any] = {
            "RoleArn": creds.role,
            "RoleSessionName": creds.role_session_name or f"aiolake-{os.getpid()}",
            "DurationSeconds": creds.duration_seconds,
        }
        if creds.external_id is not None:
            given["ExternalId"] = creds.external_id
        try:
            answer = await _assume(base, given, creds)
        except Exception as error:
            raise _failure(error, f"assuming the role {creds.role}") from error
        keys = answer["Credentials"]
        expires = keys["Expiration"]
        if not isinstance(expires, datetime):
            expires = datetime.now(UTC) + timedelta(seconds=creds.duration_seconds)
        return AwsCredential(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], _utc(expires)
        )


def _credential(
    source: str, key_id: str, secret: str, token: str | None, expires: datetime | None
) -> AwsCredential:
    """Keys that were found; where they were is said of those that can be none."""
    try:
        return AwsCredential(key_id, secret, token, expires)
    except InvalidInputError as error:
        raise InvalidInputError(f"{source}: {error}") from error


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)


async def _assume(base: Credential, given: dict[str, Any], creds: AwsCreds) -> Any:
    from aiobotocore.config import AioConfig

    assert isinstance(base, AwsCredential)
    session = await _session(creds.profile)
    # Servers that are not AWS's lend for shorter than AWS does; the client would refuse to ask.
    config = AioConfig(parameter_validation=creds.duration_seconds >= _LEAST_DURATION_S)
    region = creds.region or os.environ.get("AWS_REGION")
    client = session.create_client(
        "sts",
        region_name=region or session.get_config_variable("region") or "us-east-1",
        aws_access_key_id=base.access_key_id,
        aws_secret_access_key=base.secret_access_key,
        aws_session_token=base.session_token,
        config=config,
    )
    async with client as sts:
        return await sts.assume_role(**given)


@functools.cache
def botocore_loader() -> Loader:
    """The one loader of service models: each would parse megabytes of JSON."""
    from botocore.loaders import create_loader

    return create_loader()


async def _session(profile: str | None) -> AioSession:
    """A session, made in a thread: the first one imports much, and parses service models."""
    return await asyncio.to_thread(_new_session, profile)


def _new_session(profile: str | None) -> AioSession:
    from aiobotocore.session import AioSession

    keep_off_the_screen("aiobotocore")
    _warm_sts()
    session = AioSession(profile=profile)
    session.register_component("data_loader", botocore_loader())
    return session


@functools.cache
def _warm_sts() -> None:
    """Parse what a client of STS needs: roles and web identities are got by one."""
    from botocore.session import Session

    session = Session()
    session.register_component("data_loader", botocore_loader())
    session.create_client(
        "sts", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-"
    )


def _failure(error: Exception, what: str) -> AiolakeError:
    """Botocore's exceptions in our words."""
    if isinstance(error, AiolakeError):
        return error
    from botocore import exceptions as botocore

    words = " ".join(str(error).split())
    if isinstance(error, botocore.ProfileNotFound):
        return UnauthenticatedError(
            f"{what}: {words}; 'aws configure list-profiles' shows those there are"
        )
    if isinstance(error, botocore.PartialCredentialsError | botocore.ConfigParseError):
        return UnauthenticatedError(f"{what}: {words}; see ~/.aws/credentials and ~/.aws/config")
    if isinstance(error, botocore.SSOError | botocore.TokenRetrievalError):
        return UnauthenticatedError(
            f"{what}: there is no login of IAM Identity Center, or it is over; run 'aws sso login "
            "--profile NAME', with the profile's name"
        )
    if isinstance(error, botocore.ClientError):
        return _refusal(error, what, words)
    if isinstance(error, botocore.CredentialRetrievalError) and _REFUSED.search(words):
        return UnauthenticatedError(
            f"{what} was refused: {words}; check the container's role, and the token it shows "
            "(AWS_CONTAINER_AUTHORIZATION_TOKEN, or the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_"
            "FILE)"
        )
    if isinstance(error, botocore.CredentialRetrievalError) and "custom-process" in words:
        return TransientStoreError(
            f"{what}: {words.rstrip(': ')}; run the command of credential_process in "
            "~/.aws/config yourself, and see what it says"
        )
    if isinstance(error, botocore.CredentialRetrievalError | botocore.HTTPClientError):
        return TransientStoreError(f"{what}: {words}")
    if isinstance(error, FileNotFoundError | PermissionError):
        return UnauthenticatedError(f"{what}: {words}; {_FILES}")
    if isinstance(error, botocore.MetadataRetrievalError | OSError | TimeoutError):
        return TransientStoreError(f"{what}: {words}")
    if isinstance(error, botocore.BotoCoreError):
        return UnauthenticatedError(f"{what}: {words}; see ~/.aws/config")
    if isinstance(error, ImportError):
        return MissingExtraError(
            "s3:// needs packages that are not installed: pip install 'aiolake[s3]'", extra="s3"
        )
    if isinstance(error, ValueError | KeyError):
        return InvalidInputError(f"{what}: {type(error).__name__}: {words}; {_FILES}")
    raise error


def _refusal(error: Any, what: str, words: str) -> AiolakeError:
    """What a service of AWS's answered."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response.get("Error", {}).get("Code", "")
    if status >= 500 or code in ("Throttling", "ThrottlingException"):
        return TransientStoreError(f"{what}: {words}")
    if error.operation_name == "GetRoleCredentials":
        return UnauthenticatedError(
            f"{what} was refused: {words}; check sso_account_id and sso_role_name in "
            "~/.aws/config, or ask who administers IAM Identity Center for access"
        )
    return UnauthenticatedError(
        f"{what} was refused: {words}; check the role's trust policy and the credential used"
    )
