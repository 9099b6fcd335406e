"""What `contactopt update` says of the control group."""

from __future__ import annotations

import pytest

from contactopt.cli.update import lift_sentence


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "none, or too few contacted customers beside it"),
        ({"customers": 0, "contacted": 0}, "none, or too few contacted customers beside it"),
        ({"customers": 19, "contacted": 900}, "19 control customers: too few to tell"),
        (
            {
                "customers": 40,
                "contacted": 1960,
                "promised": 0.02,
                "realised": 0.05,
                "error": 0.03,
            },
            "40 control and 1,960 contacted customers since their first decision: contacts added "
            "the money of 5.0 payers in 100 (-0.9 to 10.9); the models as fitted had promised 2.0",
        ),
    ],
)
def test_lift_is_told_with_its_interval_and_promise(told, said) -> None:
    assert lift_sentence(told) == said
