"""What azure-identity says when nobody is logged in, in one paragraph with what to try. Pure."""

from __future__ import annotations

import re

__all__ = ["attempts", "explain"]

_ATTEMPT = re.compile(r"^\t(\w+): (.*)$", re.M)
_NAMES = {
    "AzureCliCredential": "az login",
    "AzureDeveloperCliCredential": "azd auth login",
    "AzurePowerShellCredential": "Connect-AzAccount (PowerShell)",
    "EnvironmentCredential": "service principal in the environment",
    "ManagedIdentityCredential": "managed identity",
    "SharedTokenCacheCredential": "shared token cache",
    "VisualStudioCodeCredential": "Visual Studio Code",
    "WorkloadIdentityCredential": "workload identity",
}
_PLAIN = {
    "EnvironmentCredential": "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET are not set",
    "WorkloadIdentityCredential": "AZURE_FEDERATED_TOKEN_FILE and its like are not set",
    "ManagedIdentityCredential": "no metadata service answers here",
    "AzureCliCredential": "there is no 'az' on this machine",
    "AzureDeveloperCliCredential": "there is no 'azd' on this machine",
}
_UNAVAILABLE = re.compile(
    "unavailable|not found on path|could not be found|not installed|requires the"
)
_ADVICE = (
    ("AADSTS7000222", "the client secret has expired: make a new one for the application"),
    ("AADSTS7000215", "the client secret is wrong: give its value, not its id"),
    ("AADSTS700016", "that tenant has no such application: check client_id and tenant_id"),
    ("AADSTS90002", "there is no such tenant: check tenant_id"),
    ("AADSTS900023", "the tenant's name or id is malformed: check tenant_id"),
    ("AADSTS700024", "the federated token is too old: is its file renewed?"),
    ("AADSTS700211", "the application trusts no such issuer: check its federated credentials"),
    ("AADSTS50173", "the login was revoked; run: az login"),
    ("AADSTS700082", "the login is too old; run: az login"),
    ("AADSTS50076", "a second factor is asked for; run: az login"),
    ("AADSTS53003", "a policy of the tenant forbids it from here; ask its administrator"),
    ("Please run 'az login'", "'az' is there and nobody is logged in; run: az login"),
    (
        "Azure CLI not found",
        "install the Azure CLI and run: az login; or give creds={'account_key': ...} or "
        "{'sas_token': ...}, or creds='anonymous' for a public container",
    ),
    ("Invalid tenant ID", "check tenant_id in creds=, or AZURE_TENANT_ID"),
    ("Invalid value for AZURE_TOKEN_CREDENTIALS", "set it to one of these, or unset it"),
    ("Identity not found", "no such identity is assigned to this machine: check client_id"),
)
_LONGEST = 240


def attempts(message: str) -> list[tuple[str, str]]:
    """Who was asked for a token, and why there was none; empty if only one was."""
    found = []
    for name, why in _ATTEMPT.findall(message):
        plain = _PLAIN.get(name) if _UNAVAILABLE.search(why) else None
        found.append((_NAMES.get(name, name), plain or _short(why)))
    return found


def explain(message: str, source: str) -> str:
    """Why there is no token, and what to try next.

    Args:
        message: Of azure-identity's exception.
        source: Who was to be logged in.
    """
    tried = "".join(f"\n  {name}: {why}" for name, why in attempts(message))
    advice = next((advice for mark, advice in _ADVICE if mark in message), None)
    if tried:
        advice = advice or "log in by one of these, or give creds=, see docs/stores/azure.md"
        return f"no login for Azure was found; {advice}. These were tried:{tried}"
    advice = advice or "see docs/stores/azure.md for what it needs"
    return f"{source} got no token: {_short(message)} Next: {advice}"


def _short(text: str) -> str:
    """Its first lines, without what Microsoft's services add for themselves."""
    line = re.split(r"\s*(?:Trace ID:|Visit https|To mitigate)", text.strip())[0]
    line = " ".join(line.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
