"""Rules of the house that no linter knows: what the code must not import, call or change."""

import ast
import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "lockon").rglob("*.py"))
EVERYTHING = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
LONGEST_FILE = 500
LONGEST_FUNCTION = 70
GLOBAL_SETTERS = {
    "torch.manual_seed",
    "torch.set_default_dtype",
    "torch.set_default_device",
    "torch.set_float32_matmul_precision",
    "torch.use_deterministic_algorithms",
    "torch.set_grad_enabled",
    "torch.set_num_threads",
    "np.random.seed",
    "random.seed",
}

Offences = Iterator[ast.AST]


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    """Modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def called(node: ast.AST) -> str:
    """Dotted name of what a node calls, or nothing."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def star_imports(tree: ast.Module) -> Offences:
    return (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.names[0].name == "*")


def swallowed_errors(tree: ast.Module) -> Offences:
    """`except:`, and handlers of any exception at all that neither raise nor pass the error on."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        passed_on = any(
            isinstance(inner, ast.Raise) or (isinstance(inner, ast.Name) and inner.id == node.name)
            for inner in ast.walk(node)
        )
        broad = node.type is not None and ast.unparse(node.type) in {"Exception", "BaseException"}
        if node.type is None or (broad and not passed_on):
            yield node


def code_from_files(tree: ast.Module) -> Offences:
    """Loading a file must never execute it."""
    for node in ast.walk(tree):
        if {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"} & set(imported(node)):
            yield node
        if called(node) in {"eval", "exec", "__import__", "os.system"}:
            yield node
        if isinstance(node, ast.Call) and called(node) == "torch.load":
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if options.get("weights_only") != "True":
                yield node


def global_settings(tree: ast.Module) -> Offences:
    """Process-wide switches belong to whoever runs the process: a module that is a program."""
    if any(isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in tree.body):
        return
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if called(node) in GLOBAL_SETTERS or any(ast.unparse(t).startswith("torch.backends.") for t in targets):
            yield node


def hard_wired_devices(tree: ast.Module) -> Offences:
    return (n for n in ast.walk(tree) if called(n).endswith(".cuda"))


def long_functions(tree: ast.Module) -> Offences:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if node.end_lineno - node.lineno >= LONGEST_FUNCTION:
                yield node


@pytest.mark.parametrize(
    "rule", [star_imports, swallowed_errors, code_from_files, global_settings, hard_wired_devices, long_functions]
)
def test_source_keeps_the_rule(rule: Callable[[ast.Module], Offences]) -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node).splitlines()[0]}"  # type: ignore[attr-defined]
        for path in SOURCES
        for node in rule(parsed(path))
    ]
    assert not offences, "\n".join([rule.__doc__ or rule.__name__, *offences])


def test_nothing_imports_torchvision() -> None:
    for path in EVERYTHING:
        modules = [module for node in ast.walk(parsed(path)) for module in imported(node)]
        assert not [module for module in modules if module.partition(".")[0] in {"torchvision", "torchaudio"}], path


def test_files_stay_readable() -> None:
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST_FILE}


IMPORT_AND_COMPARE = """
import pkgutil, sys, torch
state = lambda: (
    torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), torch.initial_seed(),
    torch.random.get_rng_state().tolist(), torch.are_deterministic_algorithms_enabled(),
    torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic,
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.mkldnn.enabled,
)
before = state()
import lockon
heavy = {"cv2", "matplotlib", "torchvision"} & set(sys.modules)
assert not heavy, f"import lockon brings in {heavy}"
for module in pkgutil.walk_packages(lockon.__path__, "lockon."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
assert state() == before, "importing lockon changes settings of PyTorch"
heavy = {"cv2", "matplotlib", "torchvision"} & set(sys.modules)
assert not heavy, f"a module of lockon imports {heavy} before it is needed"
"""


def test_importing_is_light_and_leaves_pytorch_alone() -> None:
    outcome = subprocess.run([sys.executable, "-c", IMPORT_AND_COMPARE], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (star_imports, "from os import *"),
        (swallowed_errors, "try:\n    f()\nexcept:\n    raise"),
        (swallowed_errors, "try:\n    f()\nexcept Exception as error:\n    g()"),
        (code_from_files, "import pickle"),
        (code_from_files, "torch.load(path)"),
        (global_settings, "torch.backends.cudnn.benchmark = True"),
        (global_settings, "torch.manual_seed(0)"),
        (hard_wired_devices, "net.cuda()"),
        (long_functions, "def f():\n" + "    g()\n" * 70),
    ],
)
def test_rules_find_what_they_are_for(rule: Callable[[ast.Module], Offences], text: str) -> None:
    assert list(rule(ast.parse(text)))
