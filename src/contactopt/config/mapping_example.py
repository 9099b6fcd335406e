"""The annotated example of a vendor's mapping file."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["example_mapping_text"]


def example_mapping_text() -> str:
    """Return the annotated example mapping of a vendor's file as YAML text."""
    return files("contactopt.config").joinpath("mapping.example.yaml").read_text("utf-8")
