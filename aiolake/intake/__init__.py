"""Ingesting folders, tables and streams of rows: bounded, resumable, exactly once."""

from aiolake.intake.command import ingest
from aiolake.intake.values import IngestProgress, IngestReport, Skipped

__all__ = ["IngestProgress", "IngestReport", "Skipped", "ingest"]
