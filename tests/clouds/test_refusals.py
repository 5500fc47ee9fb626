"""Errors as a user meets them, in Python and on the command line: what to try next, no secret."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

import aiolake
from aiolake.credentials.aws import require_aiobotocore
from aiolake.errors import AiolakeError, MissingExtraError, StoreError
from aiolake.stores import gcs, http
from aiolake.stores.retry import decide
from tests.cli.running import Cli
from tests.clouds.refused import REFUSED, Google, Refused
from tests.credentials.google.cloud import running_cloud
from tests.servers.gcs import GcsServer
from tests.stores.azure.scripted import failure, listening
from tests.stores.s3.test_refused import keys, refusal

_OPEN = ("endpoint_url", "region", "type", "verify", "token_uri", "project_id", "private_key_id")
"""What may be shown of ``creds=``, beside names."""


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes]) -> Cli:
    """Runs commands in this process."""
    return Cli(capfdbinary)


@pytest.fixture(scope="module")
def _google(fake_gcs: GcsServer) -> Iterator[Google]:
    with running_cloud(fake_gcs.url) as cloud:
        yield Google(cloud, fake_gcs.new_bucket())


@pytest.fixture
def google(_google: Google) -> Iterator[Google]:
    """A Google that knows its service account."""
    yield _google
    _google.cloud.denied.clear()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "aiolake.stores.scheduler.decide",
        lambda *given: None if decide(*given) is None else 0.0,
    )


async def opened(url: str, creds: Any) -> None:
    async with aiolake.open_dataset(url, creds=creds) as ds:
        await ds.read(0)


def checked(message: str, creds: Any, words: tuple[str, ...]) -> None:
    """It says these words in one paragraph, and nothing secret."""
    for word in words:
        assert word in message
    assert "\n\n" not in message
    for name, value in creds.items() if isinstance(creds, dict) else ():
        shown = name in _OPEN or not isinstance(value, str) or len(value) < 8
        assert shown or name.endswith(("_id", "_email")) or value.strip() not in message


def on_the_command_line(cli: Cli, directory: Path, url: str, creds: Any) -> str:
    """What ``aiolake info`` says of it."""
    words: list[object] = []
    if isinstance(creds, dict):
        file = directory / "creds.json"
        file.write_text(json.dumps(creds))
        words = ["--creds", file]
    done = cli("info", url, *words)
    assert (done.code, done.stdout) == (1, b"")
    assert done.err.startswith("aiolake: ")
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_it_says_what_to_try(
    refused: Refused,
    request: pytest.FixtureRequest,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, creds = refused.ask(request.getfixturevalue(refused.server))
    for name, value in refused.environ.items():
        monkeypatch.setenv(name, value)
    with start_blocking_portal() as portal:
        error = portal.call(failure, opened(url, creds))
    assert type(error) is refused.kind, error
    checked(str(error), creds, refused.words)
    if "credential" not in creds:  # which no JSON holds
        checked(on_the_command_line(cli, tmp_path, url, creds), creds, refused.words)


def test_a_region_that_stays_wrong(cli: Cli, tmp_path: Path) -> None:
    moved = refusal(301, "PermanentRedirect", "Use another endpoint.")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(listening(lambda _: moved)) as port,
    ):
        url, creds = "s3://box/set", {**keys(), "endpoint_url": f"http://127.0.0.1:{port}"}
        error = portal.call(failure, opened(url, creds))
        assert type(error) is StoreError
        for message in (str(error), on_the_command_line(cli, tmp_path, url, creds)):
            checked(message, creds, ("of another region: give region_name in creds=",))


@pytest.mark.parametrize(
    ("package", "url", "extra"),
    [
        ("aiobotocore", "s3://box/set", "s3"),
        ("gcloud.aio.storage", "gcs://box/set", "gcs"),
        ("azure.identity", "az://account1/box/set", "azure"),
        ("aiohttp", "https://nobody.invalid/set", "http"),
    ],
)
def test_a_package_that_is_missing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, url: str, extra: str
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == package else real(name, *a)
    )
    checks = (gcs._require_extra, http._require_extra, require_aiobotocore)
    for check in checks:
        check.cache_clear()
    with start_blocking_portal() as portal:
        error: AiolakeError = portal.call(failure, opened(url, None))
    assert type(error) is MissingExtraError
    words = (f"pip install 'aiolake[{extra}]'",)
    for message in (str(error), on_the_command_line(cli, tmp_path, url, None)):
        checked(message, None, words)
    for check in checks:
        check.cache_clear()
