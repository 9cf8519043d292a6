"""`lockon doctor`: what is installed, what is usable here, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import av
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from lockon.errors import OutputError
from lockon.video.encoder import find_encoder
from lockon.zoo import entries, is_ready, models_folder

DEVELOPER_EXTRAS = {"test", "dev"}
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
CONV_SHAPE = (1, 64, 72, 72)
"""Input of the timed convolution: a ResNet's first stage on a search region of 288 pixels."""
WORTHWHILE_SPEEDUP = 1.2


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    detail: str
    usable: bool = True
    remedy: str | None = None


@dataclass(frozen=True)
class Doctor:
    """Say what is installed, what is usable on this machine, and which settings suit it.

    For example: `lockon doctor`
    """

    def run(self) -> int:
        """Print the report."""
        speeds = {device: conv_speeds(device) for device in _devices()}
        sections = {
            "Installed": list(versions()),
            "Processor": list(processors(speeds)),
            "Video": list(video()),
            "Options": list(extras()),
            "Models": list(models()),
        }
        _print(sections, recommendation(speeds))
        return 0


def versions() -> Iterator[Finding]:
    """Versions of Lockon, Python and what it depends on."""
    yield Finding("lockon", metadata.version("lockon"))
    yield Finding("python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    for name, extra in _requirements():
        if extra is None:
            yield Finding(name, metadata.version(name))


def processors(speeds: dict[str, dict[str, float]]) -> Iterator[Finding]:
    """Processors torch can use, and the measured times of one convolution on each."""
    flags = [flag for flag in CPU_FLAGS if flag in _cpu_flags()]
    yield Finding("cpu", f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads, {' '.join(flags) or '-'}")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            yield Finding(f"cuda:{index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    else:
        yield Finding("cuda", "no usable device", usable=False)
    for device, milliseconds in speeds.items():
        times = ", ".join(f"{name} {value:.2f} ms" for name, value in milliseconds.items())
        yield Finding(f"3×3 convolution, {device}", times)


def video() -> Iterator[Finding]:
    """Codecs for reading and writing video."""
    yield from map(_decoder, ("h264", "hevc", "vp9", "av1", "mpeg4"))
    try:
        yield Finding("write H.264", find_encoder())
    except OutputError as error:
        yield Finding("write H.264", str(error), False, "pip install --force-reinstall av")


def extras() -> Iterator[Finding]:
    """Optional features and the packages they miss."""
    needs: dict[str, list[str]] = {}
    for name, extra in _requirements():
        if extra is not None and extra not in DEVELOPER_EXTRAS:
            needs.setdefault(extra, []).append(name)
    for extra, names in needs.items():
        missing = [name for name in names if not _is_installed(name)]
        if missing:
            yield Finding(extra, f"missing: {', '.join(missing)}", False, f"pip install 'lockon[{extra}]'")
        else:
            yield Finding(extra, f"installed: {', '.join(names)}")


def models() -> Iterator[Finding]:
    """The folder of imported models, and the trackers that have their weights."""
    yield Finding("folder", str(models_folder()))
    ready = [entry.name for entry in entries() if is_ready(entry)]
    for name in ready:
        yield Finding(name, "ready")
    others = [entry.name for entry in entries() if entry.name not in ready]
    if others:
        remedy = f"lockon models show {others[0]}"
        yield Finding("others", f"{len(others)} need weights: {', '.join(others)}", False, remedy)


def conv_speeds(device: str) -> dict[str, float]:
    """Median milliseconds of a 3×3 convolution of 64 to 64 channels in fp32 and in bf16."""
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    return {name: _conv_milliseconds(device, dtype) for name, dtype in types.items()}


def _conv_milliseconds(device: str, dtype: torch.dtype, repeats: int = 15) -> float:
    image = torch.zeros(CONV_SHAPE, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.zeros((64, 64, 3, 3), device=device, dtype=dtype).to(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(repeats):
            start = time.perf_counter()
            functional.conv2d(image, weight, padding=1).sum().item()
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def recommendation(speeds: dict[str, dict[str, float]]) -> str:
    """Options of `lockon track` that suit this machine."""
    device = next(iter(speeds))
    fp32, bf16 = speeds[device]["fp32"], speeds[device]["bf16"]
    precision = "bf16" if fp32 > WORTHWHILE_SPEEDUP * bf16 else "fp32"
    return f"--device {device} --precision {precision}"


def _devices() -> list[str]:
    """Usable devices, the fastest first."""
    return ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]


def _requirements() -> Iterator[tuple[str, str | None]]:
    """Names of required packages, each with the extra that asks for it."""
    for line in metadata.requires("lockon") or []:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name and name[0] != "lockon":
            yield name[0], extra[1] if extra else None


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _decoder(name: str) -> Finding:
    try:
        return Finding(f"read {name}", str(av.codec.Codec(name, "r").long_name))
    except ValueError:
        return Finding(f"read {name}", "not in this build of PyAV", usable=False)


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    line = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return set(line[1].split()) if line else set()


def _print(sections: dict[str, list[Finding]], settings: str) -> None:
    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    for title, findings in sections.items():
        table.add_row("", f"[bold]{title}[/]")
        for finding in findings:
            table.add_row("[green]✓[/]" if finding.usable else "[yellow]–[/]", finding.name, finding.detail)
    console.print(table)
    for finding in (finding for findings in sections.values() for finding in findings if finding.remedy):
        print(f"For '{finding.name}' type: {finding.remedy}")
    print(f"Recommended here: lockon track … {settings}")
