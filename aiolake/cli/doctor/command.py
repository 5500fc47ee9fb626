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
from aiolake.cli.doctor.reading import check_reading, nothing_to_read
from aiolake.cli.doctor.store import check_store, is_missing, was_measured
from aiolake.cli.doctor.way import check_way
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.cli.words import in_words_of_the_shell
from aiolake.dataset.session import Session
from aiolake.errors import AiolakeError, NotFoundError
from aiolake.render.text import printable
from aiolake.stores.scheduled import ScheduledStore
from aiolake.urls import split_reference

__all__ = ["doctor"]

_MARKS = {
    Verdict.OK: "ok",
    Verdict.NOTE: "note",
    Verdict.FAILED: "FAILED",
    Verdict.SKIPPED: "skipped",
}


async def doctor(address: str, /, *, read_only: bool = False, common: Common = DEFAULTS) -> Exit:
    """Check an address: the way there, access, create-only puts, speed, and the dataset; exit code
    1 if something fails. It need not hold a dataset yet.

    Args:
        address: Where: URL, or URL@branch.
        read_only: Do not write and remove small test objects (under doctor/); speed is then that
            of the dataset's own.
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
        if not await _reached(store, session, found):
            return
        checked = await check_store(store, write=write)
        for finding in checked:
            found(finding)
        for finding in check_credential(store):
            found(finding)
    finally:
        await store.aclose()
    if is_missing(checked):
        return
    try:
        async with opened(address, session, creds=creds) as dataset:
            if not was_measured(checked):
                for finding in await check_reading(dataset):
                    found(finding)
            async for finding in check_dataset(dataset):
                found(finding)
    except NotFoundError as error:
        if not was_measured(checked):
            for finding in nothing_to_read():
                found(finding)
        found(Finding("dataset", Verdict.NOTE, str(error), "aiolake create makes one"))
    except AiolakeError as error:
        found(Finding("dataset", Verdict.FAILED, str(error)))


async def _reached(
    store: ScheduledStore, session: Session, found: Callable[[Finding], None]
) -> bool:
    """Whether the store answers; where it does not, nothing else can work."""
    within_s = session.options.connect_timeout.total_seconds()
    if not await check_way(store.inner, found, within_s=within_s):
        return False
    access = await check_access(store)
    for finding in access:
        found(finding)
    return worst(access) is not Verdict.FAILED


def _print(output: Output, finding: Finding) -> None:
    output.line(f"{_MARKS[finding.verdict]:<8}{finding.check:<12} {_words(finding.detail)}")
    if finding.advice:
        output.line(f"{'':<21}{_words(finding.advice)}")


def _words(text: str) -> str:
    return printable(in_words_of_the_shell(text))
