"""Who the customer is, as far as a decision may use it; age only if it is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from contactopt.contracts import vocabulary as v
from contactopt.features._base import Column, FeatureBlock, category
from contactopt.features.moments import Moments
from contactopt.journal.columns import numbers, text, word_codes

__all__ = ["Customer"]


class Customer(FeatureBlock):
    """Language, kind, jurisdiction and preferred channel as categories.

    Parameters
    ----------
    use_age : bool
        Age is a protected attribute: it is left out unless asked for.

    Examples
    --------
    >>> [c.name for c in Customer().columns()]
    ['language', 'kind', 'jurisdiction', 'preferred_channel']
    """

    name = "customer"
    fitted = ("words_",)

    def __init__(self, *, use_age: bool = False) -> None:
        self.use_age = use_age

    def columns(self) -> tuple[Column, ...]:
        """Return the catalogue of the columns."""
        names = ("language", "kind", "jurisdiction", "preferred_channel")
        out = [Column(n, "category", "latest", "customers") for n in names]
        if self.use_age:
            out.append(Column("age", "years", "latest", "customers"))
        return tuple(out)

    def learn(self, moments: Moments) -> None:
        """Learn the languages and jurisdictions of the moments' customers."""
        frame = moments.journal.customer_frame
        seen = np.unique(moments.customers)
        self.words_ = {
            n: sorted(text(frame, n).iloc[seen].dropna().unique().tolist())
            for n in ("language", "jurisdiction", "preferred_channel")
        }

    def compute(self, moments: Moments) -> dict[str, Any]:
        """Return one array per column."""
        frame, who = moments.journal.customer_frame, moments.customers
        words = {**self.words_, "kind": list(v.CUSTOMER_KINDS)}
        out: dict[str, Any] = {}
        for name, seen in words.items():
            out[name] = category(word_codes(text(frame, name), seen)[who], seen)
        if self.use_age:
            year = moments.local_day.astype("datetime64[D]").astype("datetime64[Y]")
            out["age"] = year.astype(np.int64) + 1970 - numbers(frame, "birth_year")[who]
        return out
