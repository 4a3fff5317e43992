"""The repository's own rules: rooms and what they list, names, sizes, imports, and what no file may name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DESCRIBED = ("eval", "model_cards", "datasets")
"""Folders whose every file has its line in docs/architecture.md; the files of a package are in its docstring."""
ROOMS = {
    "cli",
    "stages",
    "benchmark",
    "reports",
    "curation",
    "evaluation",
    "training",
    "rules",
    "models",
    "data",
    "hub",
    "hubd",
    "statistics",
}
PLUGINS = {"harness/cli", "harness/data/scenarios", "harness/models/backends", "harness/models/parsing/formats"}
"""Packages whose modules without an underscore are found by listing the folder."""
GROUND = {"__init__.py", "errors.py", "resources.py", "secrets.py", "terminal.py", "py.typed"}
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "factory"}
HEAVY = ("torch", "transformers", "datasets", "evaluate", "huggingface_hub", "vllm", "numpy", "scipy", "openai", "rich")

_NAMED = re.compile(r"^ {0,4}(\w+(?:\.py|/)) {2,}\S", re.MULTILINE)
_LINE = re.compile(r"(?P<indent> *)(?P<name>\S+)(?:\s{2,}(?P<description>\S.*))?")
# Written so that the patterns do not match themselves.
_FORBIDDEN = {
    "a package registry": re.compile(r"pyp[i][.]org|python[h]osted[.]org|registry[.]np[m]js"),
    "a path of one machine": re.compile(r"(?<![\w.:/-])/(?:work|root|home|Users|opt)/\w"),
}


def _files() -> list[Path]:
    """Files that are in the repository or would be: tracked ones, and new ones that are not ignored."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("needs a git checkout")
    return [ROOT / name for name in sorted(done.stdout.split("\0")) if name and (ROOT / name).is_file()]


def _modules() -> list[Path]:
    return [
        path for path in _files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("harness", "eval")
    ]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(page: str, heading: str) -> dict[str, str | None]:
    """Return the tree below a heading of a page: path (folders end with `/`) -> description.

    A line is the indentation, the name, two or more spaces and the description. A name that is indented
    below a folder lies in that folder.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    match = re.search(rf"^## {heading}\n.*?^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert match, f"{page} needs a heading `## {heading}` with a fenced block below it"
    tree: dict[str, str | None] = {}
    parents: list[tuple[int, str]] = []
    for row in match[1].splitlines():
        line = _LINE.fullmatch(row)
        if not line:
            continue
        indent = len(line["indent"])
        while parents and parents[-1][0] >= indent:
            parents.pop()
        path = (parents[-1][1] if parents else "") + line["name"]
        assert path not in tree, f"{page} lists {path} twice"
        tree[path] = line["description"]
        if path.endswith("/"):
            parents.append((indent, path))
    return tree


def _rooms() -> dict[str, str | None]:
    return _tree("README.md", "Layout")


def _declarations() -> dict[str, str | None]:
    return _tree("docs/architecture.md", "Beside the package")


def test_every_line_of_a_tree_is_on_the_disk_and_says_what_it_is() -> None:
    for path, description in (_rooms() | _declarations()).items():
        assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file(), f"{path} is not on the disk"
        assert description, f"{path} has no description"


def test_every_file_beside_the_package_is_in_the_tree() -> None:
    """A folder below the three may stand for all that is in it; where it lists files, it lists them all."""
    tree = _declarations()
    missing = []
    for path in map(_name, _files()):
        top = path.split("/")[0]
        if top not in DESCRIBED:
            continue
        folders = [f"{parent.as_posix()}/" for parent in Path(path).parents if parent != Path()]
        stands_for_all = [
            folder
            for folder in folders
            if folder.rstrip("/") not in DESCRIBED
            and folder in tree
            and not any(other.startswith(folder) and other != folder for other in tree)
        ]
        is_metric = (ROOT / top / Path(path).parts[1] / f"{Path(path).parts[1]}.py").is_file()  # its README says what
        if path not in tree and not stands_for_all and not is_metric:
            missing.append(path)
    assert not missing, f"docs/architecture.md lacks {', '.join(missing)}"


def test_the_functions_that_a_trace_passes_are_where_the_page_says() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"((?:`\w+`(?:, | and )?)+) in `(harness/[\w/]+\.py)`", page)
    assert len(named) >= 12
    for functions, module in named:
        body = ast.parse((ROOT / module).read_text(encoding="utf-8")).body
        assert set(re.findall(r"\w+", functions)) - {"and"} <= {
            node.name for node in body if isinstance(node, ast.FunctionDef)
        }


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 160


def test_the_package_has_its_rooms_and_nothing_else_at_the_top() -> None:
    top = {path.relative_to(ROOT / "harness").parts[0] for path in _files() if ROOT / "harness" in path.parents}
    assert top == ROOMS | GROUND
    described = {path.split("/")[1] for path in _rooms() if path.startswith("harness/") and path.endswith("/")} - {""}
    assert described == ROOMS


def test_the_docstring_of_a_package_names_its_files_and_packages() -> None:
    """Plug-ins may be left out: adding one takes one file, whose first line says what it is."""
    wrong = {}
    for init in (path for path in _files() if path.name == "__init__.py"):
        folder = init.parent
        if ROOT / "harness" not in (folder, *folder.parents):
            continue
        inside = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
        inside |= {f"{path.name}/" for path in folder.iterdir() if (path / "__init__.py").is_file()}
        docstring = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")), clean=False) or ""
        named = {match[1] for match in _NAMED.finditer(docstring)}
        may_lack = {name for name in inside if not name.startswith("_")} if _name(folder) in PLUGINS else set()
        if folder != ROOT / "harness" and not inside - may_lack <= named <= inside:
            wrong[_name(init)] = sorted(named ^ inside)
    assert not wrong


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in _modules() if path.relative_to(ROOT).parts[0] == "harness"}
    assert not [_name(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_no_two_public_classes_share_a_name() -> None:
    """A name says which of two things is meant. The embedded Hub is a house of its own."""
    homes: dict[str, list[str]] = {}
    for path in _modules():
        if path.relative_to(ROOT).parts[:2] == ("harness", "hubd") or path.relative_to(ROOT).parts[0] != "harness":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(_name(path))
    assert not {name: files for name, files in homes.items() if len(files) > 1}


def test_the_folder_of_declarations_is_no_package() -> None:
    """With a module in it, `datasets/` would shadow the library of that name."""
    assert not list((ROOT / "datasets").rglob("*.py"))


@pytest.mark.parametrize("what", _FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = []
    for path in _files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{_name(path)}: {match[0]}" for match in _FORBIDDEN[what].finditer(text)]
    assert not found


def test_modules_can_be_read_in_one_sitting() -> None:
    sizes = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in _modules()}
    assert not {name: size for name, size in sizes.items() if size > MAX_MODULE_LINES}


def test_modules_say_what_they_hold() -> None:
    assert not [_name(path) for path in _modules() if path.stem.strip("_").lower() in VAGUE_NAMES]


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{_name(path)}:{node.lineno} {node.name}", node


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether click calls it: its parameters are the command's options."""
    return any(re.search(r"\b(command|group|option|argument)\b", ast.unparse(item)) for item in function.decorator_list)


def test_functions_are_short() -> None:
    lengths = {name: (node.end_lineno or node.lineno) - node.lineno + 1 for name, node in _functions()}
    assert not {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES}


def test_functions_take_few_parameters() -> None:
    counts = {}
    for name, node in _functions():
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        own = [parameter for parameter in parameters if parameter.arg not in ("self", "cls")]
        if len(own) > MAX_PARAMETERS and not _is_command(node):
            counts[name] = len(own)
    assert not counts


def test_the_command_line_imports_nothing_heavy() -> None:
    """`tft --help` lists and imports every command."""
    code = (
        "import importlib, pkgutil, sys\n"
        "import harness.cli.__main__, harness.cli as commands\n"
        "for module in pkgutil.iter_modules(commands.__path__):\n"
        "    importlib.import_module(f'harness.cli.{module.name}')\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
