"""DESIGN's rules about who imports whom, read from the sources and tried in a fresh Python."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("export", "calibration", "training")
# cvqe <- plugins <- runtime <- the stages, which meet through files and not through imports; calibration measures its
# files as an evaluation does, and folds constants as an export does; a study measures the exports of what it trained
MAY_IMPORT = {
    "cvqe": {"cvqe"},
    "plugins": {"cvqe", "plugins"},
    "runtime": {"cvqe", "plugins", "runtime"},
    **{stage: {"cvqe", "plugins", "runtime", stage} for stage in STAGES},
    "training": {"cvqe", "plugins", "runtime", "export", "training"},
    "calibration": {"cvqe", "plugins", "runtime", "export", "training", "calibration"},
}
FOLDERS = (*MAY_IMPORT, "benchmarks")
# where torch is at home; a torch, Triton or TensorRT part of a plugin is to be named here, file by file
NEEDS_TORCH = (
    "cvqe/layers/",
    "cvqe/models/",
    "cvqe/macs.py",
    "cvqe/thop_macs.py",
    "cvqe/checkpoint.py",
    "plugins/deform_conv/torch_op.py",
    "runtime/backends/torch_cuda.py",
)
# a module that needs one of these fails to import without it, and may
OPTIONAL = ("cuda", "numba", "tensorrt", "tensorrt_rtx", "triton")
# names of libraries that may not be installed here, and so could be taken unnoticed
LIBRARIES = {
    "cuda",
    "cv2",
    "modelopt",
    "nncf",
    "polygraphy",
    "scipy",
    "tensorrt",
    "tensorrt_rtx",
    "torchvision",
    "triton",
}
ROOT_LINE = re.compile(r"^    sys\.path\[0\] = str\(Path\(__file__\)\.resolve\(\)\.parents\[(\d)\]\)$", re.MULTILINE)
COMMAND = re.compile(r"\bpython3? ([\w./-]+\.py)\b")
IMPORT_EACH = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in {optional}:
            raise
"""


def sources(*folders: str) -> list[Path]:
    """Return every Python file below these folders, relative to the root."""
    return [path.relative_to(ROOT) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def imports_of(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name of everything a file imports, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, node.module, alias.name) for alias in node.names)


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def needs_torch(path: Path) -> bool:
    return path.as_posix().startswith(NEEDS_TORCH)


def is_script(path: Path) -> bool:
    return 'if __name__ == "__main__":' in (ROOT / path).read_text()


SCRIPTS = [path for path in sources(*FOLDERS) if is_script(path)]
TORCHLESS = [path for path in sources("cvqe", "plugins", "runtime") if not needs_torch(path)]


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


def test_there_is_something_to_look_at():
    assert Path("runtime/stream.py") in SCRIPTS
    assert len(TORCHLESS) > 20


def test_arrows_between_packages_run_one_way():
    wrong = [
        f"{path}:{line} imports {module}"
        for folder, allowed in MAY_IMPORT.items()
        for path in sources(folder)
        for line, module, _ in imports_of(path)
        if module.partition(".")[0] in {*FOLDERS, "tests"} - allowed
    ]
    assert wrong == []


def test_torch_is_imported_only_where_it_is_at_home():
    wrong = [
        f"{path}:{line}"
        for path in TORCHLESS
        for line, module, _ in imports_of(path)
        if module.split(".")[0] == "torch"
    ]
    assert wrong == []


def test_everything_else_imports_without_torch_and_says_nothing():
    blocked = "import sys; sys.modules['torch'] = None" + IMPORT_EACH.format(optional=OPTIONAL)
    run = run_python(blocked, *map(module_name, TORCHLESS))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_the_networks_import_without_a_word():
    run = run_python(IMPORT_EACH.format(optional=OPTIONAL), *map(module_name, filter(needs_torch, sources("cvqe"))))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("script", ["runtime.stream", "runtime.doctor", "runtime.partition"])
def test_the_runtimes_scripts_start_without_torch(script):
    start = "import runpy, sys; sys.modules['torch'] = None; runpy.run_module(sys.argv[1], run_name='__main__')"
    run = run_python(start.replace("runpy.run", "sys.argv[2:] = ['--help']; runpy.run"), script)
    assert (run.returncode, run.stderr) == (0, "")
    assert "usage:" in run.stdout


def test_no_file_hides_a_library():
    libraries = {*sys.stdlib_module_names, *metadata.packages_distributions(), *LIBRARIES}
    hiding = [str(path) for path in sources(*FOLDERS) if path.stem in libraries]
    assert hiding == []


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_script_run_by_path_imports_from_the_root(script):
    depths = ROOT_LINE.findall((ROOT / script).read_text())
    assert depths == [str(len(script.parts) - 1)]


def test_no_class_is_taken_from_a_script():
    """As `__main__.X` and `package.script.X` it would be two classes."""
    classes = {
        (module_name(path), node.name)
        for path in SCRIPTS
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef)
    }
    taken = [
        f"{path}:{line} takes {name} from {module}"
        for path in sources(*FOLDERS)
        for line, module, name in imports_of(path)
        if (module, name) in classes
    ]
    assert taken == []


def test_every_script_a_text_names_exists():
    documents = [Path(name) for name in ("README.md", "CONTRIBUTING.md") if (ROOT / name).exists()]
    wrong = [
        f"{path} names {command}"
        for path in [*documents, *sources(*FOLDERS)]
        for command in COMMAND.findall((ROOT / path).read_text())
        if not (ROOT / command).is_file()
    ]
    assert wrong == []
