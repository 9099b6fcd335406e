"""Which messages and offers each arm may carry: few distinct sets, never customers by treatments.

A *treatment* is a pair of template and offer, each of which may be none. Customers who are alike
to every template and offer share one *group*: the treatments that are valid for them in one channel
and stage. A batch stores the group of every (customer, action) and the groups once, so that
hundreds of treatments cost no array of customers by actions by treatments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TreatmentTable", "treatment_code"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def treatment_code(template: Ints | int, offer: Ints | int, n_offers: int):
    """Return the number of a treatment; -1 stands for no template, or no offer.

    Examples
    --------
    >>> treatment_code(-1, -1, 2), treatment_code(0, 1, 2)
    (0, 5)
    """
    return (template + 1) * (n_offers + 1) + (offer + 1)


@dataclass(frozen=True, eq=False)
class TreatmentTable:
    """G groups of valid treatments, and what each treatment is estimated to add.

    Parameters
    ----------
    n_offers : int
        Offers of the strategy; treatments are numbered by `treatment_code`.
    contexts : tuple of (str, str)
        Channel and stage, C of them; the stage is empty where it is not known.
    effect, spread : float array, shape (C, n_treatments)
        What a treatment adds to P(pays | reached), posterior mean and standard deviation.
    context : int32 array, shape (G,)
        Index into ``contexts``.
    starts : int64 array, shape (G + 1,)
    member : int32 array, shape (starts[-1],)
        Valid treatments of each group, at least two, ascending.
    discount : float
        Present value of one unit of money paid within the horizon.
    """

    n_offers: int
    contexts: tuple[tuple[str, str], ...]
    effect: Floats
    spread: Floats
    context: npt.NDArray[np.int32]
    starts: Ints
    member: npt.NDArray[np.int32]
    discount: float = 1.0

    def __len__(self) -> int:
        return len(self.context)

    def template_of(self, treatment: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
        """Return the template's index of treatments, -1 for none."""
        return (treatment // (self.n_offers + 1) - 1).astype(np.int16)

    def offer_of(self, treatment: npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
        """Return the offer's index of treatments, -1 for none."""
        return (treatment % (self.n_offers + 1) - 1).astype(np.int16)

    @property
    def group_of(self) -> Ints:
        """Group of every member, shape (len(member),)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def group_keys(self) -> list[tuple[tuple[str, str], bytes]]:
        """Return what each group is: its context and its members, comparable between tables."""
        ends = self.starts.tolist()
        names = [self.contexts[c] for c in self.context.tolist()]
        return [
            (name, self.member[a:b].astype(">i4").tobytes())
            for name, a, b in zip(names, ends[:-1], ends[1:], strict=True)
        ]

    @classmethod
    def from_keys(
        cls, keys: Sequence[tuple[tuple[str, str], bytes]], like: Sequence[TreatmentTable]
    ) -> TreatmentTable:
        """Build a table of groups given by `group_keys`, with the estimates of their tables.

        Parameters
        ----------
        keys : sequence
            In the order that the groups shall have.
        like : sequence of TreatmentTable
            At least one; contexts of one name have the same estimates in all.
        """
        known = {name: (t, k) for t in like for k, name in enumerate(t.contexts)}
        contexts = tuple(sorted(known))
        place = {name: k for k, name in enumerate(contexts)}
        members = [np.frombuffer(raw, dtype=">i4").astype(np.int32) for _, raw in keys]
        starts = np.zeros(len(keys) + 1, dtype=np.int64)
        np.cumsum([len(own) for own in members], out=starts[1:])
        width = like[0].effect.shape[1]
        rows = [known[name] for name in contexts]
        return cls(
            n_offers=like[0].n_offers,
            contexts=contexts,
            effect=np.array([t.effect[k] for t, k in rows]).reshape(len(rows), width),
            spread=np.array([t.spread[k] for t, k in rows]).reshape(len(rows), width),
            context=np.array([place[name] for name, _ in keys], dtype=np.int32),
            starts=starts,
            member=np.concatenate([*members, np.empty(0, np.int32)]).astype(np.int32),
            discount=like[0].discount,
        )
