"""S3 as ``moto`` and ``ministack`` play it, and what tests need of any S3 server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from tests.servers.environments import python_environment, ready
from tests.servers.http import Answer, exchange
from tests.servers.processes import LOCALHOST, serving
from tests.servers.signing import aws_headers

__all__ = [
    "MINISTACK",
    "MOTO",
    "ROLE",
    "S3Server",
    "checked_moto_server",
    "ministack_server",
    "moto_server",
    "text_of",
]

MOTO = python_environment("moto", "moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5")
"""What ``moto[server]`` installs, but for its other services: a third of the time."""

MINISTACK = python_environment("ministack", "ministack==1.5.33")
"""Checks the signatures of temporary keys, and refuses them once they have expired."""

_REGION = "us-east-1"
_N_REQUESTS_TO_MAKE_A_USER = 3
_ALL_OF_S3 = (
    '{"Version": "2012-10-17", "Statement": '
    '[{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
)
_EVERYTHING = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
)
_TRUSTS_ALL = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
    '"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}'
)
ROLE = "lake"
"""Of ministack; whoever it knows may assume it."""


@dataclass(frozen=True, slots=True)
class S3Server:
    """A server that speaks S3, and keys it accepts."""

    url: str
    access_key: str
    secret_key: str
    region: str = _REGION
    session_token: str | None = None

    def at(self, url: str) -> S3Server:
        """The same server, reached by another address: a proxy's."""
        return replace(self, url=url)

    def new_bucket(self) -> str:
        """Make an empty bucket; its name, which no other has."""
        name = f"bucket-{uuid.uuid4().hex[:20]}"
        self.request("PUT", f"/{name}").expect(200)
        return name

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        service: str = "s3",
    ) -> Answer:
        """Send a signed request; the path with its query, unquoted ``/`` and all else quoted."""
        signed = aws_headers(
            method,
            self.url + path,
            body,
            access_key=self.access_key,
            secret_key=self.secret_key,
            session_token=self.session_token,
            region=self.region,
            service=service,
            headers=headers,
        )
        return exchange(method, self.url + path, headers=signed, body=body)

    def path(self, bucket: str, key: str) -> str:
        """The path of an object."""
        return f"/{bucket}/{quote(key, safe='/-_.~')}"

    def session(self, seconds: int) -> dict[str, str]:
        """Keys of a session of the role, by STS: its three parts and ``Expiration``."""
        answer = self.call(
            "sts",
            "AssumeRole",
            RoleArn=f"arn:aws:iam::000000000000:role/{ROLE}",
            RoleSessionName="tests",
            DurationSeconds=str(seconds),
        )
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        return {name: text_of(answer, name) for name in names}

    def call(self, service: str, action: str, **parameters: str) -> ElementTree.Element:
        """Call an action of IAM or STS; its answer."""
        body = urlencode({"Action": action, **parameters}).encode()
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = self.request("POST", "/", body, headers=form, service=service).expect(200)
        return ElementTree.fromstring(answer.body)


@contextmanager
def moto_server(variables: Mapping[str, str] | None = None) -> Iterator[S3Server]:
    """A moto of its own, which takes any key and never looks at a signature."""
    python = ready(MOTO) / "bin" / "python"
    with serving(
        "moto",
        lambda port: [str(python), "-m", "moto.server", "-H", LOCALHOST, "-p", str(port)],
        lambda port: exchange("GET", f"http://{LOCALHOST}:{port}/moto-api/").status == 200,
        variables=lambda port: variables or {},
    ) as port:
        yield S3Server(f"http://{LOCALHOST}:{port}", "testing", "testing-secret")


@contextmanager
def checked_moto_server() -> Iterator[S3Server]:
    """A moto that knows one user, who may do all of S3, and refuses everybody else."""
    count = {"INITIAL_NO_AUTH_ACTION_COUNT": str(_N_REQUESTS_TO_MAKE_A_USER)}
    with moto_server(count) as server:
        server.call("iam", "CreateUser", UserName="tests")
        server.call(
            "iam",
            "PutUserPolicy",
            UserName="tests",
            PolicyName="s3",
            PolicyDocument=_ALL_OF_S3,
        )
        made = server.call("iam", "CreateAccessKey", UserName="tests")
        yield replace(
            server,
            access_key=text_of(made, "AccessKeyId"),
            secret_key=text_of(made, "SecretAccessKey"),
        )


@contextmanager
def ministack_server() -> Iterator[S3Server]:
    """A ministack of S3, STS and IAM."""
    python = ready(MINISTACK) / "bin" / "python"
    with serving(
        "ministack",
        lambda port: [str(python), "-m", "ministack"],
        lambda port: exchange("GET", f"http://{LOCALHOST}:{port}/_ministack/health").status == 200,
        variables=lambda port: {
            "AUTH": "true",
            "BIND_HOST": LOCALHOST,
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3,sts,iam",
        },
    ) as port:
        root = S3Server(f"http://{LOCALHOST}:{port}", "test", "test")
        root.call("iam", "CreateUser", UserName="tests")
        policy = {"PolicyName": "all", "PolicyDocument": _EVERYTHING}
        root.call("iam", "PutUserPolicy", UserName="tests", **policy)
        root.call("iam", "CreateRole", RoleName=ROLE, AssumeRolePolicyDocument=_TRUSTS_ALL)
        root.call("iam", "PutRolePolicy", RoleName=ROLE, **policy)
        made = root.call("iam", "CreateAccessKey", UserName="tests")
        yield replace(
            root,
            access_key=text_of(made, "AccessKeyId"),
            secret_key=text_of(made, "SecretAccessKey"),
        )


def text_of(answer: ElementTree.Element, name: str) -> str:
    """The text of the first element of that name, whatever its namespace."""
    found = answer.findtext(f".//{{*}}{name}")
    assert found is not None, ElementTree.tostring(answer)
    return found
