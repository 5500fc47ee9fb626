"""``--creds``: what it means, and that secrets are kept off the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiolake.cli.creds import creds_of
from aiolake.errors import InvalidInputError
from tests.cli.running import Cli, run_program


def test_words_profiles_pairs_and_files(tmp_path: Path) -> None:
    assert creds_of(None) is None
    for word in ("ENV", "anonymous", "browser", "cache", "google_default"):
        assert creds_of(word) == word
    assert creds_of("profile:dev") == {"profile_name": "dev"}
    assert creds_of("endpoint_url=http://h:1/a=b,region=eu") == {
        "endpoint_url": "http://h:1/a=b",
        "region": "eu",
    }
    assert creds_of("verify=false,ca_bundle=/x") == {"verify": False, "ca_bundle": "/x"}
    assert creds_of("verify=False") == {"verify": False}
    assert creds_of("role_arn=arn:x,duration_seconds=900")["duration_seconds"] == 900
    (tmp_path / "c.json").write_text(json.dumps({"token": "t"}))
    assert creds_of(str(tmp_path / "c.json")) == {"token": "t"}
    (tmp_path / "c.json").write_text(json.dumps({"expires_at": "2031-01-31T12:00:00Z"}))
    assert creds_of(str(tmp_path / "c.json")) == {
        "expires_at": datetime(2031, 1, 31, 12, tzinfo=UTC)
    }
    (tmp_path / "c.json").write_text(json.dumps({"expires_at": "soon"}))
    assert creds_of(str(tmp_path / "c.json")) == {"expires_at": "soon"}
    (tmp_path / "a=b.json").write_text(json.dumps({"token": "t"}))
    assert creds_of(str(tmp_path / "a=b.json")) == {"token": "t"}


@pytest.mark.parametrize(
    "text",
    [
        "aws_access_key_id=AKIA,aws_secret_access_key=s3cret",
        "account_key=s3cret",
        "token=s3cret",
        "ACCOUNT_KEY=s3cret",
        "aws_session_token=" + "s3cret" * 60,
    ],
)
def test_a_secret_on_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="every user of the machine") as caught:
        creds_of(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["ya29.s3cret", '{"aws_secret_access_key": "s3cret="}', "s3cret" * 60, "~nobody/s3cret"]
)
def test_what_is_no_file_may_be_a_secret_and_is_not_shown(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is no file; it is the path") as caught:
        creds_of(text)
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"'\./keys\.json' is no file"):
        creds_of("./keys.json")


def test_a_word_in_other_letters_and_half_a_pair() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'ENV'"):
        creds_of("env")
    for text in ("endpoint_url=http://h,", "endpoint_url=http://h,anonymous"):
        with pytest.raises(InvalidInputError, match="is key=value"):
            creds_of(text)


def test_what_the_clouds_own_libraries_log_is_not_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile old]\nsso_start_url=https://x.invalid\nsso_region=us-east-1\n"
        "sso_account_id=1\nsso_role_name=reader\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    done = run_program("info", "s3://box/p", "--creds", "profile:old", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("aiolake: the AWS profile 'old': there is no login")
    assert done.stderr.count("\n") == 1


def test_what_is_none_of_these_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is no file"):
        creds_of("anonymos")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InvalidInputError, match="JSON object"):
        creds_of(str(tmp_path / "list.json"))
    (tmp_path / "broken.json").write_text('{"token": "s3cret"')
    with pytest.raises(InvalidInputError, match="as JSON") as caught:
        creds_of(str(tmp_path / "broken.json"))
    assert "s3cret" not in str(caught.value)
    with pytest.raises(InvalidInputError, match="could not be read"):
        creds_of(str(tmp_path))


def test_a_directory_needs_none(cli: Cli, pets: Path) -> None:
    done = cli("info", pets, "--creds", "anonymous")
    assert done.code == 1
    assert "needs no credentials" in done.err
    assert "Traceback" not in done.err
