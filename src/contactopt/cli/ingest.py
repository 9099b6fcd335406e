"""``contactopt ingest``: a vendor's file into a portfolio folder, by a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contactopt.cli.inputs import read_config
from contactopt.cli.options import Json, MaxQuarantinedShare, PortfolioFolder, StrategyFile
from contactopt.cli.output import tell

__all__ = ["ingest"]

VendorsFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Their file: text in any encoding, or Parquet.")
]
MappingFile = Annotated[
    Path, typer.Option("--mapping", metavar="FILE", help="Mapping file (YAML).")
]
ReceivedAt = Annotated[
    str | None,
    typer.Option(
        "--received-at",
        metavar="INSTANT",
        help="When the file reached us, ISO 8601 with zone: its rows are known from then on. "
        "Default: not recorded, the strategy's data_delay applies.",
    ),
]
Quarantine = Annotated[
    Path | None,
    typer.Option(
        "--quarantine",
        metavar="DIR",
        help="Folder for the faulty rows, with their values; written also when refused.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read, check and report; write nothing.")]


def ingest(
    portfolio: PortfolioFolder,
    file: VendorsFile,
    mapping: MappingFile,
    received_at: ReceivedAt = None,
    quarantine: Quarantine = None,
    dry_run: DryRun = False,
    max_quarantined_share: MaxQuarantinedShare = None,
    strategy: StrategyFile = None,
    as_json: Json = False,
) -> None:
    """Add a vendor's file to a portfolio.

    Rows become touches, payments or promises; reading the same file again, or one that overlaps,
    adds nothing twice. Codes without a meaning count as unknown and are listed. Faulty rows
    refuse the file, and nothing is written, unless a share of them is allowed.

    \b
    For example:
        contactopt ingest portfolio calls.csv --mapping dialler.yaml --dry-run
        contactopt ingest portfolio calls.csv --mapping dialler.yaml --received-at 2026-06-02T06:00Z
        contactopt ingest portfolio receipts.csv --mapping sms.yaml --quarantine faulty
    """
    from contactopt.contracts import ingest as add_file

    config = read_config(strategy)
    share = max_quarantined_share
    if share is None:
        share = config.max_quarantined_share if config else 0.0
    report = add_file(
        portfolio,
        file,
        mapping,
        received_at=received_at,
        max_quarantined_share=share,
        extra_channels=tuple(config.channels) if config else (),
        quarantine=quarantine,
        dry_run=dry_run,
    )
    tell(report.to_dict(), repr(report), as_json=as_json)
