"""Credentials show no secret."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from aiolake.credentials.provider import (
    PROCESS,
    CallableProvider,
    StaticProvider,
    digest,
    from_user,
)
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    AwsCredential,
    BearerCredential,
    Credential,
    SasCredential,
)
from aiolake.errors import InvalidInputError

THEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "s3cr3t-value"
ALL: list[Credential] = [
    AwsCredential("AKIA", SECRET, SECRET, THEN),
    BearerCredential(SECRET, THEN),
    AccountKeyCredential("account", SECRET),
    SasCredential(SECRET),
]


@pytest.mark.parametrize("credential", ALL, ids=lambda each: type(each).__name__)
class TestSecrets:
    def test_a_repr_shows_the_kind_and_the_expiry_alone(self, credential: Credential) -> None:
        for text in (repr(credential), str(credential), f"{credential}", repr([credential])):
            assert SECRET not in text
            assert type(credential).__name__ in text
        if credential.expires_at is not None:
            assert "2030-01-02 03:04:05Z" in repr(credential)

    def test_a_plain_pickle_is_refused_and_names_the_ways_out(self, credential: Credential) -> None:
        for refuses in (pickle.dumps, copy.deepcopy):
            with pytest.raises(InvalidInputError, match="creds='ENV'") as caught:
                refuses(credential)
            assert SECRET not in "".join(traceback.format_exception(caught.value))

    def test_a_provider_shows_none(self, credential: Credential) -> None:
        provider = StaticProvider(credential, "the creds= argument")
        assert SECRET not in repr(provider.identity)
        assert SECRET not in repr(provider)


def test_the_identity_tells_secrets_apart() -> None:
    one, other = (StaticProvider(BearerCredential(text), "x").identity for text in ("a", "b"))
    assert one != other
    assert StaticProvider(BearerCredential("a"), "x").identity == one


def test_a_digest_keeps_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(None) != digest("x")


def none_of(_: object) -> Credential:
    raise InvalidInputError("no dict is expected")


class TestCallables:
    async def test_sync_and_async_functions_and_coroutines(self) -> None:
        token = BearerCredential("t")

        async def later() -> Credential:
            return token

        for fn in (lambda: token, later, lambda: later()):
            provider = CallableProvider(fn, none_of, (BearerCredential,))
            assert await provider.fetch() is token

    def test_its_identity_means_nothing_in_another_process(self) -> None:
        def fetch() -> Credential:
            raise AssertionError

        ours = CallableProvider(fetch, none_of, (BearerCredential,)).identity
        assert ours == CallableProvider(fetch, none_of, (BearerCredential,)).identity
        program = "from aiolake.credentials.provider import PROCESS; print(PROCESS)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        assert PROCESS in repr(ours)
        assert done.stdout.decode().strip() != PROCESS

    @pytest.mark.parametrize("answer", [None, "token", 7, AwsCredential("a", "b")])
    def test_what_is_no_credential_is_refused(self, answer: object) -> None:
        with pytest.raises(InvalidInputError, match=r"must return aiolake\.BearerCredential"):
            from_user(answer, none_of, (BearerCredential,), "the function f")

    @pytest.mark.parametrize("expires", [datetime(2030, 1, 1), "2030-01-01", 17])
    def test_an_expiry_that_is_no_aware_time_is_refused(self, expires: object) -> None:
        answer = BearerCredential(SECRET, expires)  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match="aware datetime") as caught:
            from_user(answer, none_of, (BearerCredential,), "the function f")
        assert SECRET not in str(caught.value)


def test_an_anonymous_credential_is_pickled_freely() -> None:
    assert pickle.loads(pickle.dumps(AnonymousCredential())) == AnonymousCredential()


def test_credentials_are_json_for_the_host_cache() -> None:
    for credential in ALL:
        data = msgspec.json.encode(credential)
        assert msgspec.json.decode(data, type=type(credential)) == credential


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda bad: AwsCredential(bad, "b"), "access_key_id of an aiolake.AwsCredential"),
        (lambda bad: AwsCredential("a", bad), "secret_access_key"),
        (lambda bad: BearerCredential(bad), "token"),
        (lambda bad: AccountKeyCredential("a", bad), "account_key"),
        (lambda bad: AccountKeyCredential(bad, "a"), "account_name"),
        (lambda bad: SasCredential(bad), "sas_token"),
    ],
)
@pytest.mark.parametrize("bad", [None, b"s3cret", "", f"{SECRET}\n", f"a\n{SECRET}"])
def test_a_part_that_can_be_none_is_named_and_not_shown(make: Any, words: str, bad: Any) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        make(bad)
    assert SECRET not in str(caught.value)


def test_a_session_token_is_optional() -> None:
    assert AwsCredential("a", "b", None).session_token is None
    with pytest.raises(InvalidInputError, match="session_token"):
        AwsCredential("a", "b", "t\n")


def test_a_token_that_no_header_may_hold() -> None:
    with pytest.raises(InvalidInputError, match="not ASCII"):
        BearerCredential("ключ")
