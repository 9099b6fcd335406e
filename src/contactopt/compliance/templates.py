"""Which message a contact would carry: the first that is approved, valid and fits."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.block import Block
from contactopt.compliance.rule import within
from contactopt.config import TemplateConfig
from contactopt.journal.local_time import local_day

__all__ = ["NOT_NEEDED", "choose_templates"]

Ints = npt.NDArray[np.int64]
#: the channel has no template in the strategy, so it needs none
NOT_NEEDED = -1
NONE_FITS = -2


def choose_templates(block: Block) -> Ints:
    """Return the template of every (row, channel): index, `NOT_NEEDED`, or -2 where none fits.

    A template must be approved, valid on every local date that the window touches, and fit
    stage, book, the customer's language and one candidate jurisdiction, where it names them. A
    customer whose language is not known takes any language; an unknown stage or book fits only
    templates that name none.
    """
    shape = (block.n_rows, len(block.channels))
    templates = block.config.templates
    needs = [
        c for c, name in enumerate(block.channels) if any(t.channel == name for t in templates)
    ]
    chosen = np.full(shape, NOT_NEEDED, dtype=np.int64)
    if not needs or block.n_rows == 0:
        return chosen
    debts = block.view.debts
    language = _padded(block, None, block.view.customers.get("language"))
    kinds = pd.DataFrame(
        {
            "stage": _padded(block, debts["stage"], None),
            "book": _padded(block, debts["book"], None),
            "language": language,
            "ground": block.places.ground[block.customer],
            "zones": block.zone_set,
        }
    )
    code = kinds.groupby(list(kinds), dropna=False, sort=True, observed=True).ngroup().to_numpy()
    distinct = kinds.loc[np.unique(code, return_index=True)[1]].to_dict("records")
    for c in needs:
        best = np.array([_first(block, c, kind) for kind in distinct], dtype=np.int64)
        chosen[:, c] = best[code]
    return chosen


def _padded(block: Block, of_debt: pd.Series | None, of_customer: pd.Series | None) -> Any:
    out = np.full(block.n_rows, None, dtype=object)
    if of_debt is not None:
        out[: block.n_debts] = of_debt.astype(object).where(of_debt.notna(), None).to_numpy()
    elif of_customer is not None:
        values = of_customer.astype(object).where(of_customer.notna(), None).to_numpy()
        out[:] = values[block.customer]
    return out


def _first(block: Block, channel: int, kind: dict[Any, Any]) -> int:
    name = block.channels[channel]
    days = _days(block, block.places.zone_sets[kind["zones"]])
    for i, template in enumerate(block.config.templates):
        if template.channel == name and template.approved and _fits(block, template, kind, days):
            return i
    return NONE_FITS


def _days(block: Block, zones: tuple[str, ...]) -> list[date]:
    w = block.window
    ends = np.array([w.as_of_us, w.end_us - 1], dtype=np.int64)
    found = [int(d) for zone in zones or ("UTC",) for d in local_day(ends, zone)]
    return [date(1970, 1, 1) + timedelta(days=d) for d in (min(found), max(found))]


def _fits(block: Block, t: TemplateConfig, kind: dict[Any, Any], days: list[date]) -> bool:
    if t.valid_from is not None and days[0] < t.valid_from:
        return False
    if t.valid_to is not None and days[1] > t.valid_to:
        return False
    if t.stages and kind["stage"] not in t.stages:
        return False
    if t.books and kind["book"] not in t.books:
        return False
    ground = block.places.grounds[kind["ground"]]
    if t.jurisdictions and not any(
        within(j, own) for j in ground.jurisdictions for own in t.jurisdictions
    ):
        return False
    return _speaks(t.language, kind["language"])


def _speaks(template: str | None, customer: Any) -> bool:
    """BCP 47: ``es`` serves ``es-CO``, and a plain ``es`` customer is served by ``es-CO``."""
    if template is None or not isinstance(customer, str):
        return True
    a, b = template.lower(), customer.lower()
    return a == b or b.startswith(f"{a}-") or a.startswith(f"{b}-")
