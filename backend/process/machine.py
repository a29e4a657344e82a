"""What this machine offers: engines and devices, found without importing anything slow.

``import torch`` costs about a second, too much for the first answer of the backend. So torch's own
version file is read, and the graphics driver is asked through its C library.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
from pathlib import Path

from ..errors import BadInput, JobFailed


def engines() -> dict[str, str]:
    """The engines that can run here, and their versions; the first is taken where a pack can do with it."""
    found = {"onnx": _onnxruntime()[1], "torch": installed_version("torch")}
    return {name: version for name, version in found.items() if version is not None}


def _onnxruntime() -> tuple[str, str | None]:
    """The distribution of onnxruntime that is installed, and its version; there is one for each kind of device."""
    for name in ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime"):
        version = installed_version(name)
        if version is not None:
            return name, version
    return "onnxruntime", None


def onnx_devices() -> list[str]:
    """The devices that the installed onnxruntime was built for and that are here."""
    name, version = _onnxruntime()
    if version is None:
        return []
    found = ["cpu"]
    if name == "onnxruntime-gpu" and _cuda_device_count() > 0:
        found.append("cuda")
    if name == "onnxruntime-directml" and sys.platform == "win32":
        found.append("directml")
    if sys.platform == "darwin":
        found.append("coreml")
    return found


def devices() -> list[str]:
    """The devices that a request may name: ``auto`` and ``cpu`` always, others where an engine has them."""
    found = ["auto", "cpu", *onnx_devices(), *_torch_devices()]
    return list(dict.fromkeys(found))


def _torch_devices() -> list[str]:
    if installed_version("torch") is None:
        return []
    found = []
    if _torch_has_cuda() and _cuda_device_count() > 0:
        found.append("cuda")
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append("mps")
    return found


def require(device: str) -> None:
    """Refuse a device that is not here, or any work where no engine is installed.

    Raises:
        BadInput: the device is not available.
        JobFailed: there is no engine.
    """
    if not engines():
        raise JobFailed(
            "No engine is installed.",
            hint="Install one with: pip install 'understudy[onnx]', or 'understudy[torch]'",
        )
    available = devices()
    if device not in available:
        raise BadInput(
            f"The device {device!r} is not available here, use {' or '.join(available)}.", field="device"
        )


def require_engine(engine: str) -> None:
    """Refuse an engine that is not installed.

    Raises:
        JobFailed: it is not.
    """
    if engine not in engines():
        raise JobFailed(
            f"The {engine} engine is not installed.",
            hint=f"Install it with: pip install 'understudy[{engine}]'",
        )


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def has_module(name: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Windows and macOS
        return os.cpu_count() or 1


def cuda_devices() -> int:
    """CUDA devices that an installed engine can use."""
    usable = _torch_has_cuda() or "cuda" in onnx_devices()
    return _cuda_device_count() if usable else 0


def _torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA: its ``version.py`` says so in one line."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^cuda\b[^=\n]*=\s*['\"]", text, re.MULTILINE) is not None


def _cuda_device_count() -> int:
    """Number of CUDA devices, from the driver itself; 0 where there is none."""
    import ctypes

    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return count.value
    except (OSError, AttributeError):
        pass
    return 0
