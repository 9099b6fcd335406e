"""Their codes and our words."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts import vocabulary as v

__all__ = ["SENT", "SKIP", "STOP_OUTCOMES", "Code", "Coded", "fold_code", "translate"]

#: words of the mapping only: the row says that the message left; the row is no attempt at all
SENT, SKIP = "sent", "skip"
#: outcomes after which contact has to stop or to change: their row may never get lost unseen
STOP_OUTCOMES = (*v.HOLDING_OUTCOMES, "complained")


@dataclass(frozen=True, slots=True)
class Code:
    """What one of their codes means: a word, and whether a machine did it (None: not said)."""

    word: str
    machine: bool | None = None


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of codes, translated.

    Parameters
    ----------
    word : object array, shape (n,)
        Our word; None where the code is blank or has no meaning.
    machine : int8 array, shape (n,)
        1 machine, 0 not, -1 not said.
    counts : pandas.DataFrame
        Columns code, word, machine, rows, mapped: one row per distinct code, the most frequent
        first; a blank one is the empty code.
    """

    word: npt.NDArray[np.object_]
    machine: npt.NDArray[np.int8]
    counts: pd.DataFrame


def fold_code(code: str) -> str:
    """Return a code as it is compared: trimmed, case folded, composed alike."""
    return " ".join(unicodedata.normalize("NFKC", str(code)).split()).casefold()


def translate(raw: pd.Series, codes: Mapping[str, Code] | None, words: tuple[str, ...]) -> Coded:
    """Translate a column of codes.

    Parameters
    ----------
    raw : pandas.Series of str, shape (n,)
        Null or blank: nothing is said.
    codes : mapping of str to Code, or None
        By folded code. None: their words are ours.
    words : tuple of str
        The vocabulary that holds where ``codes`` is None.

    Returns
    -------
    Coded
    """
    known = {w: Code(w) for w in words} if codes is None else codes
    number, distinct = pd.factorize(raw.fillna(""), use_na_sentinel=False)
    found = [known.get(fold_code(c)) for c in distinct]
    word = np.array([None if c is None else c.word for c in found] + [None], object)[:-1]
    machine = np.array(
        [-1 if c is None or c.machine is None else int(c.machine) for c in found], np.int8
    )
    rows = np.bincount(number, minlength=len(distinct))
    counts = pd.DataFrame(
        {
            "code": pd.Series([str(c).strip() for c in distinct], dtype="str"),
            "word": pd.Series(["" if w is None else w for w in word], dtype="str"),
            "machine": machine == 1,
            "rows": rows,
            "mapped": np.array([c is not None for c in found], bool),
        }
    )
    # one line per code as it is compared, in its most frequent spelling
    counts["folded"] = [fold_code(c) for c in counts["code"]]
    counts = counts.sort_values(["rows", "code"], ascending=[False, True])
    total = counts.groupby("folded")["rows"].transform("sum")
    counts = counts.assign(rows=total).drop_duplicates("folded")
    counts = counts.sort_values(["rows", "code"], ascending=[False, True], ignore_index=True)
    return Coded(
        word[number], machine[number], counts[["code", "word", "machine", "rows", "mapped"]]
    )
