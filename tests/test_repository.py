"""The house: what is installed, packaged and promised is what is there."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import understudy

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_FOLDERS = ("addon", "backend", "training")


def load_toml(name: str) -> dict:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def python_files() -> list[Path]:
    ours = (path for folder in PACKAGE_FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [ROOT / "__init__.py", *sorted(ours)]


def packaged_files() -> list[Path]:
    """Every file that an installed Understudy needs, relative to the root: no file lies there in vain."""
    files = [ROOT / "__init__.py", ROOT / "blender_manifest.toml"]
    for folder in (*PACKAGE_FOLDERS, "packs"):
        files += [p for p in (ROOT / folder).rglob("*") if p.is_file()]
    return [p.relative_to(ROOT) for p in files if "__pycache__" not in p.parts]


def child(*command: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def test_every_package_is_listed() -> None:
    listed = load_toml("pyproject.toml")["tool"]["setuptools"]["packages"]
    there = {"understudy"} | {
        ".".join(("understudy", *path.relative_to(ROOT).parent.parts)) for path in python_files()[1:]
    }
    assert sorted(listed) == sorted(there)


def test_every_package_has_an_init() -> None:
    without = {p.parent for p in python_files() if not (p.parent / "__init__.py").exists()}
    assert not without


def test_versions_agree() -> None:
    assert load_toml("pyproject.toml")["project"]["version"] == understudy.__version__
    assert load_toml("blender_manifest.toml")["version"] == understudy.__version__


def test_licences_agree() -> None:
    assert load_toml("pyproject.toml")["project"]["license"] == "GPL-3.0-or-later"
    assert load_toml("blender_manifest.toml")["license"] == ["SPDX:GPL-3.0-or-later"]
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_installed_metadata_is_of_this_version() -> None:
    if importlib.util.find_spec("understudy.backend.cli.main") is None:
        pytest.fail("the package is not installed")
    assert importlib.metadata.version("understudy") == understudy.__version__


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("understudy", ["bpy", "torch", "pydantic", "numpy"]),
        ("understudy.backend", ["bpy", "torch", "pydantic"]),
        ("understudy.backend.errors", ["bpy", "torch", "pydantic", "numpy"]),
        ("understudy.backend.protocol.wire", ["bpy", "torch", "pydantic", "scipy"]),
        ("understudy.backend.cli.main", ["bpy", "torch", "transformers"]),
    ],
)
def test_import_stays_light(module: str, forbidden: list[str]) -> None:
    check = f"import sys, {module}; print([m for m in {forbidden!r} if m in sys.modules])"
    done = child(sys.executable, "-c", check)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_motion_core_needs_numpy_alone() -> None:
    """Blender's Python has numpy and the standard library: hide everything else and import it all."""
    modules = [f"understudy.backend.motion.{p.stem}" for p in (ROOT / "backend/motion").glob("[a-z]*.py")]
    assert modules
    check = (
        "import sys\n"
        "for hidden in ('torch', 'pydantic', 'scipy', 'bpy', 'yaml', 'rich', 'platformdirs', 'pyarrow'):\n"
        "    sys.modules[hidden] = None\n"
        f"for name in {modules!r}:\n"
        "    __import__(name)\n"
    )
    done = child(sys.executable, "-c", check)
    assert done.returncode == 0, done.stderr


def imports_of(path: Path) -> set[str]:
    """Absolute names of the modules that a file of ours imports, relative ones resolved."""
    package = ("understudy", *path.relative_to(ROOT).parent.parts)
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            if node.module:
                names.add(base + node.module)
            else:
                names.update(base + alias.name for alias in node.names)
    return names


def test_the_addon_knows_protocol_motion_and_errors_only() -> None:
    """import-linter lists what is forbidden; this holds for modules added later, too."""
    allowed = ("understudy.backend.protocol", "understudy.backend.motion", "understudy.backend.errors")
    wrong = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "addon").rglob("*.py")
        for name in imports_of(path)
        if name.startswith("understudy.backend") and not name.startswith(allowed)
    }
    assert not wrong


def test_imports_inside_the_package_are_relative() -> None:
    """Blender loads the package as ``bl_ext.<repository>.understudy``: an absolute import breaks there."""
    wrong = []
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            if any(name.split(".")[0] == "understudy" for name in names):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong


def test_tracked_files_are_small_and_packs_within_their_limit() -> None:
    listed = child("git", "ls-files", "-z", cwd=ROOT)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    sizes = {
        name: (ROOT / name).stat().st_size
        for name in filter(None, listed.stdout.split("\0"))
        if (ROOT / name).exists()
    }
    weights = {name: size for name, size in sizes.items() if name.startswith("packs/")}
    assert not {name: size for name, size in sizes.items() if size > 8_000_000 and name not in weights}
    packs: dict[str, int] = {}
    for name, size in weights.items():
        packs[name.split("/")[1]] = packs.get(name.split("/")[1], 0) + size
    assert all(size <= 40_000_000 for size in packs.values()), packs


@pytest.mark.parametrize("script", ["understudy", "understudy-train"])
def test_console_script_works(script: str) -> None:
    program = Path(sys.executable).parent / script
    assert program.exists(), "not installed; run 'make setup'"
    done = child(str(program), "--help")
    assert done.returncode == 0, done.stderr
    assert script in done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation"]
    # The build writes its folder beside the sources: build from a copy, which also shows it needs no git.
    source = folder / "source"
    source.mkdir()
    for name in [*packaged_files(), Path("pyproject.toml"), Path("README.md"), Path("LICENSE")]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    done = child(*command, "--wheel-dir", str(folder), str(source))
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("understudy-*.whl")
    return path


def test_wheel_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    wanted = {f"understudy/{name.as_posix()}" for name in packaged_files()}
    assert wanted <= inside, sorted(wanted - inside)
    ours = {name for name in inside if not name.startswith("understudy-")}
    assert ours <= wanted, sorted(ours - wanted)


def test_wheel_runs_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, with the checkout out of sight, the command line still answers."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    check = (
        "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import understudy; print(understudy.__file__)\n"
        "from understudy.backend.cli.main import main\n"
        "sys.exit(main(['packs']))"
    )
    done = child(sys.executable, "-c", check, cwd=tmp_path)
    assert done.stdout.startswith(str(tmp_path)), done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("Blender's packager comes with bpy")
    folder = tmp_path_factory.mktemp("extension")
    return build_extension(folder)


def build_extension(folder: Path) -> Path:
    """The zip without wheels, which needs no network; tests/test_extension.py has the one with them."""
    tool = [sys.executable, str(ROOT / "tools/build_extension.py"), "--without-wheels"]
    done = child(*tool, "--output-dir", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.zip")
    return path


def test_extension_validates_and_holds_what_blender_needs(extension: Path) -> None:
    """The build runs Blender's own ``validate`` on the folder and on the zip."""
    with zipfile.ZipFile(extension) as archive:
        inside = set(archive.namelist())
    packaged = {p.as_posix() for p in packaged_files() if p.parts[0] != "training"}
    wanted = {name for name in packaged if not name.startswith("packs/styles/")}
    assert wanted < packaged
    assert wanted <= inside, sorted(wanted - inside)
    assert not any(name.startswith("packs/styles/") for name in inside), "not for commercial use"
    unwanted = ("training/", "tests/", "tools/", "docs/", ".")
    assert not [name for name in inside if name.startswith(unwanted) or "__pycache__" in name]


def test_the_checkout_itself_is_a_valid_extension() -> None:
    """``ln -s`` of the checkout is how developers run it in Blender."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        pytest.skip("needs bpy")
    (tool,) = Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    done = child(sys.executable, str(tool), "validate", str(ROOT))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_sources_give_the_same_zip(extension: Path, tmp_path: Path) -> None:
    assert build_extension(tmp_path).read_bytes() == extension.read_bytes()


def test_documents_link_to_files_that_exist() -> None:
    wrong = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                wrong.append(f"{page.name}: {target}")
    assert not wrong
