"""A vendor's file, read: rows of contract tables and the report on what they were made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from contactopt.contracts.vendors.report import VendorReport

__all__ = ["VendorFile"]


@dataclass(frozen=True, eq=False, repr=False)
class VendorFile:
    """Rows of a vendor in the words of the contract; made by `read_vendor_file`.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Contract tables with all their columns: touches and touch_events, or payments, or
        promises; one row per id. A touch without channel or instant takes its customer out of
        the portfolio.
    report : VendorReport
    """

    tables: dict[str, pd.DataFrame]
    report: VendorReport

    def raise_for_faults(self, max_quarantined_share: float = 0.0) -> None:
        """Refuse the file if more of its rows are faulty than allowed; see `VendorReport`."""
        self.report.raise_for_faults(max_quarantined_share)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON-ready values."""
        return self.report.to_dict()

    def __repr__(self) -> str:
        return repr(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()
