"""``contactopt rollback``: back to the champion before."""

from __future__ import annotations

from dataclasses import asdict

from contactopt.cli.options import Json, Name, TrackingUri
from contactopt.cli.output import tell

__all__ = ["rollback"]


def rollback(name: Name, tracking_uri: TrackingUri = None, as_json: Json = False) -> None:
    """Go back to the champion before.

    The version that is withdrawn keeps no alias; rolling back again walks further back.

    \b
    For example:
        contactopt rollback s
        contactopt rollback s --json
    """
    from contactopt.tracking import rollback as roll_back

    found = roll_back(name, tracking_uri=tracking_uri)
    tell(asdict(found), f"{name} version {found.version} is the champion again", as_json=as_json)
