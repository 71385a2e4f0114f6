import nbformat
import pytest
from helpers import REPOSITORY
from nbclient import NotebookClient

SMALL = {
    "trainUnet.ipynb": (
        "WIDTH, DEPTH, LEARNING_RATE, SEED = 2, 2, 1e-3, 0\nCROP, BATCH_SIZE, STEPS_PER_EPOCH, EPOCHS = 32, 2, 2, 1"
    ),
    "dataPrepare.ipynb": "CROP = 32",
}


@pytest.mark.parametrize("name", SMALL)
def test_notebook_runs_with_small_numbers(name, cells, tmp_path):
    notebook = nbformat.read(REPOSITORY / name, as_version=4)
    (settings,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    settings.source = f"FOLDER, RUN = Path({str(cells)!r}), Path({str(tmp_path / 'run')!r})\n{SMALL[name]}"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": REPOSITORY}}).execute()
    if name == "trainUnet.ipynb":
        assert (tmp_path / "run" / "model.keras").is_file()
        assert (cells / "test" / "a_predict.png").is_file()


@pytest.mark.parametrize("name", SMALL)
def test_notebook_is_committed_as_it_ran(name):
    notebook = nbformat.read(REPOSITORY / name, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
