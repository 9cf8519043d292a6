from importlib import metadata

import pytest
import torch

from lockon.apps import doctor
from lockon.errors import OutputError


@pytest.mark.parametrize(
    ("speeds", "settings"),
    [
        ({"cpu": {"fp32": 2.0, "bf16": 1.0}}, "--device cpu --precision bf16"),
        ({"cpu": {"fp32": 1.0, "bf16": 0.95}}, "--device cpu --precision fp32"),
        ({"cuda": {"fp32": 2.0, "bf16": 1.0}, "cpu": {"fp32": 1.0, "bf16": 9.0}}, "--device cuda --precision bf16"),
    ],
)
def test_the_recommendation_follows_the_measurement(speeds, settings):
    assert doctor.recommendation(speeds) == settings


def test_a_missing_extra_is_named_with_the_line_to_type(monkeypatch):
    version = metadata.version

    def without_matplotlib(name):
        if name == "matplotlib":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_matplotlib)
    plot = next(finding for finding in doctor.extras() if finding.name == "plot")
    assert not plot.usable
    assert "matplotlib" in plot.detail
    assert plot.remedy == "pip install 'lockon[plot]'"


def test_a_missing_encoder_is_named_with_the_line_to_type(monkeypatch):
    def none():
        raise OutputError("this build of PyAV has no H.264 encoder.")

    monkeypatch.setattr(doctor, "find_encoder", none)
    encoder = list(doctor.video())[-1]
    assert not encoder.usable
    assert encoder.remedy


def test_a_missing_decoder_is_no_error():
    assert not doctor._decoder("no_such_codec").usable


def test_required_packages_are_told_from_optional_ones():
    names = {finding.name for finding in doctor.versions()}
    assert {"torch", "av", "numpy"} <= names
    assert not {"pytest", "matplotlib", "lockon[test]"} & names


def test_devices_that_are_there_are_measured():
    speeds = doctor.conv_speeds("cpu")
    assert set(speeds) == {"fp32", "bf16"}
    assert min(speeds.values()) > 0
    assert ("cuda" in doctor._devices()) == torch.cuda.is_available()
