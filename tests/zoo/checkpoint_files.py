"""Makes checkpoint files as the reference frameworks write them, without those frameworks."""

import sys
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lockon.zoo.checkpoints import Shapes


@contextmanager
def defined_classes(*paths: str) -> Iterator[list[type]]:
    """Classes at dotted paths, importable inside the block (pickling needs that) and gone after it."""
    before = set(sys.modules)
    classes = []
    for path in paths:
        module_name, _, name = path.rpartition(".")
        parts = module_name.split(".")
        for end in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
        kind = type(name, (), {"__module__": module_name})
        setattr(sys.modules[module_name], name, kind)
        classes.append(kind)
    try:
        yield classes
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]


def filled(kind: type, **attributes: Any) -> Any:
    """An object with attributes."""
    instance = kind()
    vars(instance).update(attributes)
    return instance


def random_weights(shapes: Shapes, seed: int = 0) -> OrderedDict[str, Tensor]:
    """Small random numbers, positive as variances must be; counters are whole numbers."""
    generator = torch.Generator().manual_seed(seed)
    return OrderedDict(
        (key, torch.rand(shape, generator=generator) * 0.05 + 0.01 if shape else torch.tensor(7))
        for key, shape in shapes.items()
    )


def write_pytracking(
    path: Path,
    weights: Mapping[str, Tensor],
    function: str = "dimpnet50",
    arguments: Mapping[str, Any] | None = None,
    *,
    zipped: bool = True,
    framework: str = "ltr",
) -> Path:
    """A training checkpoint of pytracking (`ltr`) or of its predecessor (`dlframework`)."""
    folder = "ltr.admin" if framework == "ltr" else "dlframework.common.utils"
    names = (
        "model_constructor.NetConstructor",
        "stats.AverageMeter",
        "settings.Settings",
        "local.EnvironmentSettings",
    )
    with defined_classes(*(f"{folder}.{name}" for name in names)) as (maker, meter, settings, environment):
        content = {
            "epoch": 50,
            "actor_type": "DiMPActor",
            "net_type": "DiMPnet",
            "net": weights,
            "net_info": None,
            "constructor": filled(
                maker, fun_name=function, fun_module="ltr.models", args=(), kwds=dict(arguments or {})
            ),
            "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.ones(5)}}, "param_groups": [{"lr": 1e-3}]},
            "stats": OrderedDict(train=OrderedDict(loss=filled(meter, val=0.5, history=[filled(meter, val=1.0)]))),
            "settings": filled(settings, env=filled(environment, workspace_dir="/home/somebody")),
        }
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path
