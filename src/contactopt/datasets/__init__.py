"""Ready portfolios: a simulated demo of any size, and the small one shipped with the project."""

from contactopt.datasets.demo import load_demo

__all__ = ["load_demo"]
