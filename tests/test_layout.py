"""Where things are, and that imports run one way: from a floor to those below it."""

import ast
import re
import subprocess

import pytest
from helpers import REPOSITORY

# Rooms of one floor do not import each other; within a folder, a file imports those before it.
FLOORS = [
    ["transposed", "normalisation"],
    ["geometry", "devices", "extras"],
    ["files"],
    ["scores", "figures", "sources"],
    ["prediction"],
    ["training"],
    ["arguments", "volumes"],
    ["export", "app"],
]
FOLDERS = {
    "files": [
        "scans",
        "rasters",
        "tiff",
        "images",
        "scaling",
        "storage",
        "folders",
        "pairing",
        "labels",
        "description",
        "classes",
        "blur",
        "meanings",
        "writing",
        "splits",
        "looking",
        "dataset",
        "checks",
        "inventory",
    ],
    "sources": [
        "annotations",
        "contents",
        "listing",
        "parts",
        "layouts",
        "ordinary",
        "outlines",
        "known",
        "recognise",
        "convert",
    ],
    "scores": ["pixels", "isbi2012", "objects", "tables", "doubts", "calibration", "growth"],
    "prediction": ["watershed", "networks", "tiling", "objects", "masks", "runtimes"],
    "training": [
        "refusals",
        "planning",
        "borders",
        "losses",
        "batches",
        "metrics",
        "runs",
        "report",
        "callbacks",
        "pacing",
    ],
    "volumes": ["reading", "cluster", "chunks", "objects", "images"],
}
SCRIPTS = [["model", "data"], ["main"], ["predict", "evaluate"]]
# On purpose: what is registered in model.py has to be known before a network can be loaded.
EXCEPTION = ("segmentation.prediction.networks", "load_network", "model")


def list_modules():
    """The floor of every module, and its number within its folder: dict of name to (floor, number)."""
    modules = {}
    for floor, rooms in enumerate(FLOORS):
        for room in rooms:
            if room not in FOLDERS:
                modules[f"segmentation.{room}"] = floor, 0
            for number, name in enumerate(FOLDERS.get(room, [])):
                modules[f"segmentation.{room}.{name}"] = floor, number
    for floor, scripts in enumerate(SCRIPTS, start=len(FLOORS)):
        modules |= dict.fromkeys(scripts, (floor, 0))
    return modules


MODULES = list_modules()


def find_imports(tree, function=None):
    """Modules of this repository that code imports, also within functions: (function, module), as absolute names."""
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef) else function
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import is relative"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in names]
        else:
            names = []
        yield from ((inside, name) for name in names if name in MODULES or name.split(".")[0] == "segmentation")
        yield from find_imports(node, inside)


def find_upward(module, source):
    """Imports of a module's source that do not run down: list of names."""
    floor, number = MODULES[module]
    upward = []
    for function, name in find_imports(ast.parse(source)):
        below, before = MODULES[name]
        same_folder = name.rpartition(".")[0] == module.rpartition(".")[0] != "" and module.count(".") == 2
        runs_down = below < floor or (below == floor and same_folder and before < number)
        if not runs_down and (module, function, name) != EXCEPTION:
            upward.append(name)
    return upward


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    source = (REPOSITORY / f"{module.replace('.', '/')}.py").read_text()
    assert find_upward(module, source) == []


def test_an_import_that_runs_up_is_found_also_in_a_function():
    hidden = "def later():\n    from segmentation.prediction import masks\n"
    assert find_upward("segmentation.scores.tables", hidden) == ["segmentation.prediction.masks"]
    assert find_upward("segmentation.scores.tables", "import data") == ["data"]
    assert find_upward("segmentation.files.images", "from segmentation.files import folders") == [
        "segmentation.files.folders"
    ]
    assert find_upward("segmentation.training.callbacks", "from segmentation.prediction import masks") == []


def test_the_order_is_the_one_that_the_design_states():
    page = " ".join((REPOSITORY / "docs" / "design.md").read_text().split())
    assert " < ".join([*map(", ".join, FLOORS), " | ".join(SCRIPTS[0]), *map(", ".join, SCRIPTS[1:])]) in page
    tree = read_tree(*TREES[1])
    for folder, names in FOLDERS.items():
        files = [path for path in tree if path.startswith(f"segmentation/{folder}/") and path.endswith(".py")]
        assert files == [f"segmentation/{folder}/{name}.py" for name in names]


def test_the_one_exception_is_still_one():
    module, function, name = EXCEPTION
    tree = ast.parse((REPOSITORY / f"{module.replace('.', '/')}.py").read_text())
    assert (function, name) in list(find_imports(tree))


def test_every_file_has_its_floor():
    found = {".".join(file.relative_to(REPOSITORY).with_suffix("").parts) for file in REPOSITORY.glob("*.py")}
    package = (REPOSITORY / "segmentation").rglob("*.py")
    found |= {".".join(file.relative_to(REPOSITORY).with_suffix("").parts) for file in package}
    assert {name for name in found if not name.endswith("__init__")} == set(MODULES)


def test_packages_begin_with_a_docstring_alone():
    packages = [*(REPOSITORY / "segmentation").rglob("__init__.py"), REPOSITORY / "benchmarks" / "__init__.py"]
    assert len(packages) == len(FOLDERS) + 2
    for file in packages:
        (statement,) = ast.parse(file.read_text()).body
        assert isinstance(statement.value.value, str)


def test_importing_a_module_does_nothing():
    """At the top of a module stand definitions, imports and constants, and the call of `main` as a script."""
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)
    for module in MODULES:
        for statement in ast.parse((REPOSITORY / f"{module.replace('.', '/')}.py").read_text()).body:
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            script = isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"
            assert isinstance(statement, allowed) or docstring or script, (module, statement.lineno)


def test_scripts_at_the_top_are_those_that_users_run_or_edit():
    names = {"data.py", "evaluate.py", "main.py", "model.py", "predict.py"}
    assert {file.name for file in REPOSITORY.glob("*.py")} == names
    assert [file.name for file in REPOSITORY.glob("requirements*.txt")] == ["requirements.txt"]


def read_tree(document, heading):
    """Paths that the tree of a document names under a heading, relative to the repository."""
    section = (REPOSITORY / document).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    paths, above = [], []
    for line in section.splitlines():
        if re.match(r" {4}( {4})*[\w.]", line) and "<" not in line:
            level = (len(line) - len(line.lstrip())) // 4 - 1
            above = [*above[:level], line.split()[0]]
            paths.append("".join(above))
    return paths


TREES = ("README.md", "What is where"), ("docs/design.md", "Layout")


@pytest.mark.parametrize("tree", TREES)
def test_the_trees_of_the_documents_are_true(tree):
    for path in read_tree(*tree):
        assert (REPOSITORY / path).is_dir() if path.endswith("/") else (REPOSITORY / path).is_file(), path


def test_the_trees_name_every_module():
    named = set().union(*(read_tree(*tree) for tree in TREES))
    files = [REPOSITORY / f"{module.replace('.', '/')}.py" for module in MODULES] + list(REPOSITORY.glob("*.ipynb"))
    assert {file.relative_to(REPOSITORY).as_posix() for file in files} <= named


def test_the_tree_of_the_readme_names_every_folder_at_the_top():
    if not (REPOSITORY / ".git").exists():
        pytest.skip("without git there is no telling what belongs to the repository")
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    folders = {f"{file.split('/')[0]}/" for file in listed.splitlines() if "/" in file and not file.startswith(".")}
    assert folders <= set(read_tree(*TREES[0]))


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 130


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "data/membrane/README.md", "docs", "benchmarks"])
def test_links_between_documents_lead_somewhere(document):
    path = REPOSITORY / document
    for file in sorted(path.glob("*.md")) if path.is_dir() else [path]:
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.name}: {target}"
