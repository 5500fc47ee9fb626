"""The examples of docs/stores/azure.md, as far as they can be followed without an account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake import urls
from aiolake.credentials.azure_creds import AzureCreds, read_azure_creds
from aiolake.stores._azure.place import place_of
from aiolake.stores.transport.values import Tls

PAGE = Path(__file__).resolve().parents[4] / "docs" / "stores" / "azure.md"


def examples(monkeypatch: pytest.MonkeyPatch) -> dict[str, AzureCreds]:
    """What the ``creds=`` of each example mean, by the name it gives to the dataset."""

    def read(url: str, *, creds: Any = None) -> AzureCreds:
        address = urls.parse(url)
        found = read_azure_creds(address.path.partition("/")[0], creds, {})
        place_of(address, found.endpoint, Tls())
        return found

    monkeypatch.setattr(aiolake, "open_dataset", read)
    names: dict[str, Any] = {}
    for body in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        exec(body, names)
    return {name: value for name, value in names.items() if isinstance(value, AzureCreds)}


def test_every_example_makes_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: read.provider.source for name, read in examples(monkeypatch).items()}
    assert found == {
        "flowers": "the default Azure login",
        "by_key": "account_key in creds=",
        "by_signature": "sas_token in creds=",
        "by_connection_string": "connection_string in creds=",
        "by_function": "the function ask_our_service",
        "by_login": "the AzureCliCredential in creds=",
        "in_china": "account_key in creds=",
        "at_azurite": "connection_string in creds=",
    }
