"""Logging in with a browser, which a script plays."""

from __future__ import annotations

import asyncio
import json
import stat
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aiolake.credentials.google import provider_of
from aiolake.credentials.google_creds import parse
from aiolake.credentials.keeper import Keeper
from aiolake.credentials.provider import Provider
from aiolake.errors import InvalidInputError, UnauthenticatedError
from tests.credentials.google.cloud import Cloud, client_secrets, running_cloud

Open = Callable[[str], Any]


class ScriptedBrowser(webbrowser.GenericBrowser):
    """Does with an address what a test says."""

    def __init__(self) -> None:
        super().__init__("scripted")
        self.does: Open = visit
        self.urls: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.urls.append(url)
        self.does(url)
        return True


def visit(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as page:
        return str(page.read().decode())


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedBrowser]:
    monkeypatch.setenv("DISPLAY", ":0")
    scripted = ScriptedBrowser()
    webbrowser.register("scripted", None, scripted, preferred=True)
    yield scripted
    webbrowser._tryorder.remove("scripted")  # type: ignore[attr-defined]
    del webbrowser._browsers["scripted"]  # type: ignore[attr-defined]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"AIOLAKE_CONFIG_DIR": str(tmp_path / "config"), "CLOUDSDK_CONFIG": str(tmp_path)}


def now() -> datetime:
    return datetime.now(UTC)


def provider(creds: Any, env: dict[str, str]) -> Provider:
    return provider_of(parse(creds).source, now=now, environ=env)


def by_browser(cloud: Cloud) -> dict[str, Any]:
    return {"credentials": "browser", "client_secrets": client_secrets(cloud)}


async def token_of(provider: Provider) -> str:
    return str(getattr(await provider.fetch(), "token", None))


async def test_a_log_in_is_saved_and_serves_without_a_browser(
    cloud: Cloud, env: dict[str, str], browser: ScriptedBrowser, capsys: pytest.CaptureFixture[str]
) -> None:
    given = provider(by_browser(cloud), env)
    assert cloud.is_good(await token_of(given))
    assert browser.urls[0] in capsys.readouterr().err
    saved = Path(env["AIOLAKE_CONFIG_DIR"]) / "google.json"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert stat.S_IMODE(saved.parent.stat().st_mode) == 0o700
    assert [path.name for path in saved.parent.iterdir()] == ["google.json"]
    for other in (given, provider("cache", env), provider("browser", env)):
        assert cloud.is_good(await token_of(other))
    assert len(browser.urls) == 1
    assert cloud.asked == {"authorization_code": 1, "refresh_token": 3}


async def test_only_the_answer_to_the_own_request_is_heard(
    cloud: Cloud, env: dict[str, str], browser: ScriptedBrowser
) -> None:
    refused: list[int] = []

    def attack_first(url: str) -> None:
        back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        for target in (f"{back}?code=evil", f"{back}?code=evil&state=guess", f"{back}favicon.ico"):
            try:
                visit(target)
            except urllib.error.HTTPError as error:
                refused.append(error.code)
                error.close()
        page = visit(url)
        assert "You are logged in" in page

    browser.does = attack_first
    assert cloud.is_good(await token_of(provider(by_browser(cloud), env)))
    assert refused == [400, 400, 404]


async def test_a_code_is_of_no_use_without_the_verifier(
    cloud: Cloud, env: dict[str, str], browser: ScriptedBrowser
) -> None:
    def steal(url: str) -> None:
        back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        state = parse_qs(urlsplit(url).query)["state"][0]
        cloud.codes["stolen"] = "another-challenge", back
        visit(f"{back}?code=stolen&state={state}")

    browser.does = steal
    with pytest.raises(UnauthenticatedError, match="log in again"):
        await token_of(provider(by_browser(cloud), env))


async def test_a_user_who_says_no_is_heard(
    cloud: Cloud, env: dict[str, str], browser: ScriptedBrowser
) -> None:
    def refuse(url: str) -> None:
        query = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
        visit(f"{query['redirect_uri']}?error=access_denied&state={query['state']}")

    browser.does = refuse
    with pytest.raises(UnauthenticatedError, match="refused: access_denied"):
        await token_of(provider(by_browser(cloud), env))
    assert not (Path(env["AIOLAKE_CONFIG_DIR"]) / "google.json").exists()


async def test_a_user_who_does_nothing_is_waited_for_with_an_end(
    cloud: Cloud,
    env: dict[str, str],
    browser: ScriptedBrowser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiolake.credentials.google_users._LOGIN_S", 0.2)
    browser.does = lambda url: None
    with pytest.raises(UnauthenticatedError, match="nobody logged in"):
        await token_of(provider(by_browser(cloud), env))


async def test_the_port_is_closed_when_the_waiting_is_cancelled(
    cloud: Cloud, env: dict[str, str], browser: ScriptedBrowser
) -> None:
    opened = asyncio.Event()
    loop = asyncio.get_running_loop()
    browser.does = lambda url: loop.call_soon_threadsafe(opened.set)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(token_of(provider(by_browser(cloud), env)))
        await opened.wait()
        port = urlsplit(parse_qs(urlsplit(browser.urls[0]).query)["redirect_uri"][0]).port
        task.cancel()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_keeper_waits_for_a_user_longer_than_for_a_server(
    cloud: Cloud,
    env: dict[str, str],
    browser: ScriptedBrowser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiolake.credentials.lease.FETCH_S", 0.05)
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(url: str) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)  # noqa: TID251
        visit(url)

    browser.does = slowly
    async with Keeper() as keeper:
        lease = keeper.lease(provider(by_browser(cloud), env))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(lease.get()) for _ in range(8)]
            await asyncio.sleep(0.3)
            go_on.set()
        assert len({task.result() for task in tasks}) == 1
    assert len(browser.urls) == 1


async def test_a_log_in_that_was_revoked_is_asked_for_again_at_the_start_only(
    cloud: Cloud, env: dict[str, str], browser: ScriptedBrowser
) -> None:
    first = provider(by_browser(cloud), env)
    await token_of(first)
    cloud.refresh_tokens.clear()
    with pytest.raises(UnauthenticatedError, match="log in again"):
        await token_of(first)  # a job that runs opens no window
    with pytest.raises(UnauthenticatedError, match="log in again"):
        await token_of(provider("cache", env))
    assert len(browser.urls) == 1
    assert cloud.is_good(await token_of(provider("browser", env)))  # its client is saved too
    assert len(browser.urls) == 2


async def test_without_a_client_it_says_how_to_make_one(
    env: dict[str, str], browser: ScriptedBrowser
) -> None:
    with pytest.raises(UnauthenticatedError, match="'Desktop app'"):
        await token_of(provider("browser", env))
    assert browser.urls == []


async def test_a_client_is_found_where_it_may_be(
    cloud: Cloud, env: dict[str, str], browser: ScriptedBrowser, tmp_path: Path
) -> None:
    path = tmp_path / "client.json"
    path.write_text(json.dumps(client_secrets(cloud)))
    named = {**env, "AIOLAKE_GOOGLE_CLIENT_SECRETS": str(path)}
    assert cloud.is_good(await token_of(provider("browser", named)))
    (Path(env["AIOLAKE_CONFIG_DIR"]) / "google.json").unlink()
    given = {"credentials": "browser", "client_secrets": str(path)}
    assert cloud.is_good(await token_of(provider(given, env)))
    with pytest.raises(UnauthenticatedError, match="No such file"):
        await token_of(
            provider({"client_secrets": "/no/such.json"}, {**env, "AIOLAKE_CONFIG_DIR": "/no"})
        )


async def test_without_a_screen_the_address_is_said_alone(
    cloud: Cloud,
    env: dict[str, str],
    browser: ScriptedBrowser,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(token_of(provider(by_browser(cloud), env)))
        said = ""
        while "/auth?" not in said:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().err
        await asyncio.to_thread(visit, said.split()[-1])
    assert cloud.is_good(task.result())
    assert browser.urls == []


async def test_the_cache_says_where_it_looked(env: dict[str, str]) -> None:
    with pytest.raises(UnauthenticatedError, match="use 'browser' once") as refused:
        await token_of(provider("cache", env))
    assert env["AIOLAKE_CONFIG_DIR"] in str(refused.value)


async def test_a_saved_log_in_that_others_may_read_is_refused(
    cloud: Cloud, env: dict[str, str]
) -> None:
    saved = Path(env["AIOLAKE_CONFIG_DIR"]) / "google.json"
    saved.parent.mkdir()
    saved.write_text(json.dumps(cloud.log_in()))
    saved.chmod(0o644)
    with pytest.raises(InvalidInputError, match="chmod 600"):
        await token_of(provider("cache", env))
    saved.chmod(0o600)
    assert cloud.is_good(await token_of(provider("cache", env)))
    saved.write_text("{")
    with pytest.raises(InvalidInputError, match="damaged"):
        await token_of(provider("cache", env))
