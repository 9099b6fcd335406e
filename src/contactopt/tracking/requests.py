"""What a service may ask of a strategy: read, check, refuse without printing a customer's row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from contactopt.errors import ConfigError, ContractError, sample_ids

if TYPE_CHECKING:
    from contactopt.contracts import Portfolio

__all__ = ["Request", "plan_as_text", "read_parameters", "read_portfolio"]

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})\Z"
)
_INSTANT_HINT = "write it as ISO 8601 with offset, for example 2026-06-02T12:00:00Z"


@dataclass(frozen=True)
class Request:
    """Parameters of a request, checked."""

    as_of: pd.Timestamp
    capacity: pd.DataFrame | None
    random_state: int | None


def read_parameters(params: Mapping[str, Any] | None) -> Request:
    """Check the parameters; empty text stands for a parameter that was not given.

    Raises
    ------
    ConfigError
        ``as_of`` is missing, an epoch number, or without offset; ``capacity`` is no JSON list of
        rows; ``random_state`` no whole number; a parameter is unknown.
    """
    given = {key: value for key, value in (params or {}).items() if value not in (None, "")}
    unknown = set(given) - {"as_of", "capacity", "random_state"}
    if unknown:
        raise ConfigError(
            f"{len(unknown)} unknown parameter(s)", hint="as_of, capacity, random_state are known"
        )
    if "as_of" not in given:
        raise ConfigError("the request has no as_of", hint=_INSTANT_HINT)
    return Request(
        as_of=_instant(given["as_of"]),
        capacity=_capacity(given.get("capacity")),
        random_state=_random_state(given.get("random_state")),
    )


def read_portfolio(
    rows: pd.DataFrame, request: Request, *, extra_channels: tuple[str, ...] = ()
) -> Portfolio:
    """Build the portfolio of a request, complete to its ``as_of``.

    Parameters
    ----------
    rows : DataFrame
        One row per customer: ``customer_id`` (text) and ``tables`` (JSON object, text).
    request : Request
        The checked parameters.
    extra_channels : tuple of str
        Channels that the strategy adds to the contract's words.

    Returns
    -------
    Portfolio
        An empty request gives an empty portfolio.

    Raises
    ------
    ContractError
        A column is missing, a customer stands twice, ``tables`` is no JSON object of lists of
        objects, a row belongs to another customer, or the tables break the contract.
    """
    from contactopt.contracts import Portfolio
    from contactopt.contracts.tables import TABLES

    ids, texts = _columns(rows)
    tables: dict[str, list[dict[str, Any]]] = {}
    faulty: list[str] = []
    for customer, text in zip(ids, texts, strict=True):
        own = _tables_of(customer, text)
        if own is None:
            faulty.append(customer)
            continue
        for name, items in own.items():
            tables.setdefault(name, []).extend(items)
    if faulty:
        raise ContractError(
            f"tables of {len(faulty)} customer(s) cannot be read: {sample_ids(faulty)}",
            hint="give a JSON object of table name to a list of that customer's own rows",
        )
    needed = {name: [] for name, spec in TABLES.items() if spec.needed}
    frames = {name: pd.DataFrame(items) for name, items in {**needed, **tables}.items()}
    complete_to = dict.fromkeys(TABLES, request.as_of)
    return Portfolio.from_frames(frames, complete_to=complete_to, extra_channels=extra_channels)


def plan_as_text(plan: pd.DataFrame) -> pd.DataFrame:
    """Instants as ISO 8601 text in UTC: JSON keeps them, MLflow's types do not touch them."""
    texts = {
        name: plan[name].dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        for name in plan.columns
        if isinstance(plan[name].dtype, pd.DatetimeTZDtype)
    }
    return plan.assign(**texts)


def _instant(value: Any) -> pd.Timestamp:
    if not isinstance(value, str) or not _INSTANT.match(value.strip()):
        raise ConfigError("as_of is no instant with an offset", hint=_INSTANT_HINT)
    try:
        return pd.Timestamp(value.strip()).tz_convert("UTC")
    except ValueError:
        raise ConfigError("as_of names no day or hour that exists", hint=_INSTANT_HINT) from None


def _capacity(value: Any) -> pd.DataFrame | None:
    if value is None:
        return None
    try:
        items = json.loads(value)
    except (TypeError, ValueError):
        items = None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConfigError(
            "capacity is no JSON list of rows",
            hint='for example [{"pool": "agents", "date": "2026-06-02", "units": 480}]',
        )
    return pd.DataFrame(items, columns=None if items else ["pool", "date", "units"])


def _random_state(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,18}", str(value)):
        raise ConfigError("random_state is no whole number", hint="for example 0")
    return int(value)


def _columns(rows: pd.DataFrame) -> tuple[list[str], list[Any]]:
    if not isinstance(rows, pd.DataFrame) or not {"customer_id", "tables"} <= set(rows.columns):
        raise ContractError(
            "the request needs the columns customer_id and tables",
            hint="one row per customer; tables holds that customer's rows as a JSON object",
        )
    ids = rows["customer_id"].tolist()
    if not all(isinstance(i, str) and i for i in ids):
        raise ContractError("customer_id must be text in every row", hint="ids are strings")
    twice = {i for i in ids if ids.count(i) > 1} if len(set(ids)) < len(ids) else set()
    if twice:
        raise ContractError(
            f"{len(twice)} customer(s) stand twice in the request: {sample_ids(twice)}",
            hint="one row per customer",
        )
    return ids, rows["tables"].tolist()


def _tables_of(customer: str, text: Any) -> dict[str, list[dict[str, Any]]] | None:
    """Tables of one customer; None if they cannot be read or hold a row of somebody else."""
    try:
        tables = json.loads(text)
    except (TypeError, ValueError):
        return None
    if not isinstance(tables, dict):
        return None
    for items in tables.values():
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return None
        if any(item.get("customer_id", customer) != customer for item in items):
            return None
    return tables
