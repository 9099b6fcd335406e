"""Write down the catalogue of the default pipeline; `test_own_blocks.py` holds it against today's.

    python tests/features/default_columns.py > tests/features/default_columns.txt

Run it when columns are added. Names that stand there must stay: fitted models rely on them.
"""

import sys

from contactopt.features import BLOCKS

if __name__ == "__main__":
    for name, block in BLOCKS.items():
        if name != "x":  # the user's own columns
            for c in block().columns():
                sys.stdout.write(f"{name}.{c.name} | {c.unit} | {c.window} | {c.source}\n")
