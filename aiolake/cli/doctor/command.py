"""``aiolake doctor``."""

from __future__ import annotations

from collections.abc import Callable

from aiolake import urls
from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.creds import creds_of
from aiolake.cli.doctor.access import check_access, check_credential
from aiolake.cli.doctor.dataset import check_dataset
from aiolake.cli.doctor.findings import Finding, Verdict, worst
from aiolake.cli.doctor.store import check_store
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.dataset.session import Session
from aiolake.errors import AiolakeError, NotFoundError
from aiolake.render.text import printable
from aiolake.urls import split_reference

__all__ = ["doctor"]

_MARKS = {
    Verdict.OK: "ok",
    Verdict.NOTE: "note",
    Verdict.FAILED: "FAILED",
    Verdict.SKIPPED: "skipped",
}


async def doctor(address: str, /, *, read_only: bool = False, common: Common = DEFAULTS) -> Exit:
    """Check an address: access, create-only puts, speed, and the dataset there; exit code 1 if
    something fails. It need not hold a dataset yet.

    Args:
        address: Where: URL, or URL@branch.
        read_only: Do not write and remove small test objects (under doctor/).
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    findings: list[Finding] = []

    def found(finding: Finding) -> None:
        findings.append(finding)
        _print(output, finding)

    async with Session() as session:
        await _check(address, session, found, common.creds, write=not read_only)
    output.document(
        {"verdict": worst(findings).value, "findings": [each.to_dict() for each in findings]}
    )
    return Exit.FAILED if worst(findings) is Verdict.FAILED else Exit.OK


async def _check(
    address: str,
    session: Session,
    found: Callable[[Finding], None],
    creds: str | None,
    *,
    write: bool,
) -> None:
    url = urls.parse(split_reference(address).url)
    found(Finding("address", Verdict.OK, printable(str(url))))
    store = session._open_store(url, creds_of(creds), session.options)
    try:
        access = await check_access(store)
        for finding in access:
            found(finding)
        if worst(access) is Verdict.FAILED:
            return
        for finding in await check_store(store, write=write):
            found(finding)
        for finding in check_credential(store):
            found(finding)
    finally:
        await store.aclose()
    try:
        async with opened(address, session, creds=creds) as dataset:
            async for finding in check_dataset(dataset):
                found(finding)
    except NotFoundError as error:
        found(Finding("dataset", Verdict.NOTE, str(error), "aiolake create makes one"))
    except AiolakeError as error:
        found(Finding("dataset", Verdict.FAILED, str(error)))


def _print(output: Output, finding: Finding) -> None:
    output.line(f"{_MARKS[finding.verdict]:<8}{finding.check:<12} {printable(finding.detail)}")
    if finding.advice:
        output.line(f"{'':<21}{printable(finding.advice)}")
