"""Who is never contacted: a control group by customer, the same in every batch."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

__all__ = ["control_group"]

#: constant, so that a customer stays in the group for whole periods and under every seed
_SALT = b"control-group-1"


def control_group(customer_ids: Iterable[str], share: float) -> npt.NDArray[np.bool_]:
    """Tell which customers belong to the control group, by a hash of their id alone.

    Groups are nested: whoever is in at 1 % is in at 3 %.

    Parameters
    ----------
    customer_ids : iterable of str
    share : float
        Expected share of customers, in [0, 1].

    Returns
    -------
    bool array, shape (n,)

    Examples
    --------
    >>> ids = [f"C-{k}" for k in range(1000)]
    >>> int(control_group(ids, 0.02).sum()), bool(control_group(ids, 0.0).any())
    (17, False)
    """
    hashes = (blake2b(str(c).encode(), digest_size=8, key=_SALT).digest() for c in customer_ids)
    number = np.frombuffer(b"".join(hashes), dtype=">u8").astype(np.uint64)
    # a threshold on the top 53 bits, exact in float64
    return (number >> np.uint64(11)).astype(np.float64) < share * 2.0**53
