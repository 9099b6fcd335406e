"""Notebooks run from top to bottom on a small size, and are committed without outputs."""

from __future__ import annotations

import gc
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: replaces what stands in the cell tagged `parameters`; tuning needs two horizons before its fit
SMALL = {"01_quickstart": "200, 50, 0", "02_models": "400, 130, 0", "03_policy": "300, 70, 0"}
#: a home folder, a drive, or a folder only one machine has
ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:home|Users|root|tmp|work|mnt|opt)/|\b[A-Z]:\\\\")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks() -> None:
    assert [p.stem for p in NOTEBOOKS] == list(SMALL)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_committed_without_outputs_and_paths_of_one_machine(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        assert not ABSOLUTE.search(cell.source), cell.source
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel of the Python that runs the tests, whatever the machine calls python3."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    folder = tmp_path / "jupyter" / "kernels" / "under-test"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "language": "python", "display_name": "under test"}
    (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")
    return "under-test"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Jupyter's own, while it talks to itself
@pytest.mark.filterwarnings("ignore:Unclosed socket:ResourceWarning")  # left by its client
def test_runs_from_top_to_bottom(path: Path, kernel: str, tmp_path: Path) -> None:  # 003-24, 004-18
    """In an empty folder and without a warning of ours or of what we call."""
    from nbclient import NotebookClient

    notebook = read(path)
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    assert len(tagged) == 1
    tagged[0].source = f"N_CUSTOMERS, N_DAYS, RANDOM_STATE = {SMALL[path.stem]}\n"
    folder = tmp_path / "folder"
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name=kernel, timeout=600, resources=resources).execute()
    gc.collect()  # Jupyter's sockets, here and not in the test that comes next
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            said = output.get("text", "") if output.get("name") == "stderr" else ""
            assert "Warning" not in said, said
