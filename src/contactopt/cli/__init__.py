"""The command line: one file per verb, results on stdout, progress and logs on stderr.

No verb does what Python cannot. Libraries are imported inside the verbs, so that ``--help`` is
instant.
"""

from contactopt.cli.app import app, main

__all__ = ["app", "main"]
