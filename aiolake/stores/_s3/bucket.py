"""What the stores of one bucket share: where it is, found out once. Endpoints by botocore."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Hashable
from urllib.parse import parse_qs, urlsplit

from aiolake._aio import SingleFlight
from aiolake.credentials.aws import botocore_loader
from aiolake.credentials.aws_creds import AwsCreds
from aiolake.errors import InvalidInputError
from aiolake.stores._s3.place import Place, place_at
from aiolake.stores._s3.signing import Signer
from aiolake.stores.transport.values import Origin, Tls

__all__ = ["Bucket", "shared_key"]

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_GLOBAL = "us-east-1"
"""The region of stores that know none, and of names that AWS has not been asked about."""


def shared_key(bucket: str, creds: AwsCreds) -> Hashable:
    """Stores of one bucket and one way to get there share a ``Bucket``."""
    way = creds.profile, creds.endpoint_url, creds.region, creds.style, creds.verify, creds.ca_file
    return ("s3", bucket, *way)


class Bucket:
    """A bucket's place, and who signs for it.

    Args:
        name: Of the bucket.
        creds: The endpoint, region and style that were given.
    """

    def __init__(self, name: str, creds: AwsCreds) -> None:
        self._name = name
        self._creds = creds
        self._flights: SingleFlight[str | None, Place] = SingleFlight()
        self.place: Place | None = None
        self.signer = Signer(_GLOBAL)

    async def found(self) -> Place:
        """Its place, resolved by the first who asks."""
        return self.place or await self._flights.do(None, lambda: self._resolve(None))

    async def move(self, region: str) -> None:
        """Go on in another region: a server has said that the bucket is there."""
        if self.place is None or self.place.region != region:
            await self._flights.do(region, lambda: self._resolve(region))

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def _resolve(self, region: str | None) -> Place:
        given = self._creds.endpoint_url
        variable = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
        if self._creds.profile is None and given is not None:
            place = self._named(given, "endpoint_url", region)
        elif self._creds.profile is None and variable is not None:
            place = self._named(os.environ[variable], variable, region)
        else:
            place = await asyncio.to_thread(_by_botocore, self._name, self._creds, region)
        self.place, self.signer = place, Signer(place.region)
        return place

    def _named(self, endpoint: str, name: str, region: str | None) -> Place:
        """A store that was named: botocore would be asked for what is known already."""
        creds = self._creds
        ca_file = creds.ca_file or os.environ.get("AWS_CA_BUNDLE") or None
        origin, base = Origin.parse(endpoint, tls=Tls(creds.verify, ca_file), name=name)
        where = region or creds.region or _first(_REGIONS) or _GLOBAL
        return place_at(origin, base, self._name, where, creds.style)


def _first(names: tuple[str, ...]) -> str | None:
    return next((value for value in map(os.environ.get, names) if value), None)


def _by_botocore(bucket: str, creds: AwsCreds, region: str | None) -> Place:
    """Where botocore would send a request: its rules know partitions, dual stack, FIPS, profiles.

    Takes a few hundred ms the first time.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    style = creds.style if creds.style != "auto" else "path" if "." in bucket else "virtual"
    try:
        session = Session(profile=creds.profile)
        session.register_component("data_loader", botocore_loader())
        client = session.create_client(
            "s3",
            region_name=region or creds.region,
            endpoint_url=creds.endpoint_url,
            aws_access_key_id="-",
            aws_secret_access_key="-",
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
            ),
        )
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "-"})
        ca_file = creds.ca_file or session.get_config_variable("ca_bundle") or None
    except (BotoCoreError, ValueError) as error:
        raise InvalidInputError(
            f"the endpoint of bucket {bucket!r} could not be resolved: {_in_words(error)}",
            bucket=bucket,
        ) from error
    tls = Tls(creds.verify, ca_file)
    parts = urlsplit(url)
    scope = parse_qs(parts.query)["X-Amz-Credential"][0].split("/")
    own = client.meta.endpoint_url
    if creds.style == "auto" and ".amazonaws.com" not in own:
        origin, base = Origin.parse(own, tls=tls)  # a profile's: few stores have hosts for buckets
        return place_at(origin, base, bucket, scope[2], "path")
    origin, path = Origin.parse(f"{parts.scheme}://{parts.netloc}{parts.path}", tls=tls)
    return Place(bucket, origin, path.removesuffix("/-"), scope[2])


def _in_words(error: Exception) -> str:
    """What botocore would not resolve, and what to look at."""
    from botocore import exceptions as botocore

    words = " ".join(str(error).split())
    if isinstance(error, botocore.ParamValidationError):
        return (
            "AWS has no bucket of such a name: they are 3 to 63 lower-case letters, digits, '-' "
            "and '.'; check the address, s3://bucket/prefix"
        )
    if isinstance(error, botocore.ProfileNotFound):
        return (
            f"{words}; see profile_name in creds= and AWS_PROFILE: 'aws configure list-profiles' "
            "shows the profiles there are"
        )
    if isinstance(error, botocore.InvalidRegionError):
        return f"{words.rstrip('.')}; check region_name, which is such as 'eu-west-1'"
    return f"{words}; see endpoint_url and region in ~/.aws/config"
