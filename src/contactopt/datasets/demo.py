"""The demo portfolio: simulated customers with a hundred days of history."""

from __future__ import annotations

from contactopt.contracts import Portfolio
from contactopt.simulation import Preset, World

__all__ = ["load_demo"]


def load_demo(
    n_customers: int = 20_000,
    random_state: int = 0,
    *,
    preset: str | Preset = "mixed",
    n_days: int = 100,
    progress: bool = False,
) -> Portfolio:
    """Simulate a portfolio of customers in arrears and what an incumbent policy did to them.

    History runs from 2025-12-01 in each customer's local time; the newest instant is the nightly
    extract on the morning after the last day (08:05 UTC).

    Parameters
    ----------
    n_customers : int
        0 gives empty tables.
    random_state : int
        Same seed, same tables, byte for byte.
    preset : str or Preset
        ``mixed``, ``early``, ``mid``, ``late`` or ``charged_off``.
    n_days : int
        Days of history.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    Portfolio

    Raises
    ------
    ConfigError
        If the preset is unknown or a number is negative.

    Examples
    --------
    >>> load_demo(40, n_days=5).n_customers
    40
    """
    world = World(preset, n_customers=n_customers, random_state=random_state, n_days=n_days)
    if not progress:
        return world.run().portfolio()
    from tqdm import tqdm  # only needed for the bar

    with tqdm(total=n_days, unit="day", desc="simulating") as bar:
        return world.run(progress=bar.update).portfolio()
