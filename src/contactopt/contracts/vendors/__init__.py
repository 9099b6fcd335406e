"""Vendors' files: a mapping says what their columns, codes and times mean; rows become ours."""

from contactopt.contracts.vendors.ingest_report import IngestReport
from contactopt.contracts.vendors.ingestion import ingest
from contactopt.contracts.vendors.mapping import VendorMapping
from contactopt.contracts.vendors.reading import read_vendor_file
from contactopt.contracts.vendors.report import VendorReport
from contactopt.contracts.vendors.vendor_file import VendorFile

__all__ = [
    "IngestReport",
    "VendorFile",
    "VendorMapping",
    "VendorReport",
    "ingest",
    "read_vendor_file",
]
