"""What a measurement was made with: the same description and the same thread limit for every benchmark."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ("lockon", "torch", "numpy", "opencv-contrib-python-headless", "opencv-contrib-python", "opencv-python")


def limit_threads(threads: int) -> None:
    """Give torch and, where it is installed, OpenCV the same number of threads."""
    torch.set_num_threads(threads)
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(threads)


def describe_machine(device: str, threads: int) -> dict[str, str]:
    """Name the processor, the thread limit, the accelerator if it is the `device`, and the versions that matter."""
    facts = {"cpu": _cpu_name(), "threads": str(threads), "python": platform.python_version()}
    if torch.device(device).type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
    for package in PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return facts | _commit()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> dict[str, str]:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": done.stdout.strip()}
