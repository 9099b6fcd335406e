"""A view is made once while it is in use, and takes no memory after."""

import gc
import pickle
import weakref

import pandas as pd

from contactopt.journal import Journal


def test_an_instant_is_cut_once_while_its_view_is_in_use() -> None:
    customers = pd.DataFrame({"customer_id": ["a"], "jurisdiction": "US", "status": "active"})
    journal = Journal({"customers": customers})
    view = journal.as_of("2026-06-02T12:00Z")
    assert journal.as_of("2026-06-02T14:00+02:00") is view
    assert journal.as_of("2026-06-02T12:00:00.000001Z") is not view
    copied = pickle.loads(pickle.dumps(journal))
    assert copied.as_of(view.as_of).journal is copied
    kept = weakref.ref(view)
    del view
    gc.collect()
    assert kept() is None  # frames of a view that nobody uses take no memory
