"""An identity of AWS, shown by a request that botocore would sign alike."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aiolake.credentials.google_aws import AwsKeys, signed_identity

URL = "https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
AT = datetime(2026, 11, 25, 18, 30, 5, tzinfo=UTC)


def by_botocore(value: dict[str, Any], keys: AwsKeys) -> str:
    """The signature of the same request, computed by somebody else."""
    headers = {each["key"]: each["value"] for each in value["headers"]}
    given = headers.pop("Authorization")
    request = AWSRequest(value["method"], value["url"].replace(".com?", ".com/?"), headers)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(
        Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token),
        "sts",
        "eu-west-1",
    )
    request.context["payload_signing_enabled"] = True
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert auth.signature(text, request) in given
    return str(given)


@pytest.mark.parametrize("session_token", [None, "session/token+=="])
def test_the_signature_is_botocores(session_token: str | None) -> None:
    keys = AwsKeys("AKID", "hush", session_token)
    token = signed_identity(keys, "eu-west-1", URL, "//iam.googleapis.com/pool", AT)
    value = json.loads(unquote(token))
    given = by_botocore(value, keys)
    assert "Credential=AKID/20261125/eu-west-1/sts/aws4_request" in given
    assert "x-goog-cloud-target-resource" in given
    assert "hush" not in token
    assert "hush" not in repr(keys)
