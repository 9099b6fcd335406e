"""One world of some size that the tests of this room look at and do not step."""

import pytest

from contactopt.simulation import World


@pytest.fixture(scope="session")
def world() -> World:
    return World(n_customers=6000, random_state=11).run()
