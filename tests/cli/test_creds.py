"""``--creds``: what it means, and that secrets are kept off the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aiolake.cli.creds import creds_of
from aiolake.errors import InvalidInputError
from tests.cli.running import Cli


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
    (tmp_path / "c.json").write_text(json.dumps({"token": "t"}))
    assert creds_of(str(tmp_path / "c.json")) == {"token": "t"}
    (tmp_path / "a=b.json").write_text(json.dumps({"token": "t"}))
    assert creds_of(str(tmp_path / "a=b.json")) == {"token": "t"}


@pytest.mark.parametrize(
    "text",
    [
        "aws_access_key_id=AKIA,aws_secret_access_key=s3cret",
        "account_key=s3cret",
        "token=s3cret",
        "ACCOUNT_KEY=s3cret",
    ],
)
def test_a_secret_on_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="every user of the machine") as caught:
        creds_of(text)
    assert "s3cret" not in str(caught.value)


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
