"""The weights that training starts from."""

import pytest
import torch
from safetensors.torch import save_file

from lockon.errors import CheckpointError, RecipeError, UnknownNameError
from lockon.networks.resnet import resnet18
from lockon.training.models import ModelConfig, build_network

ATOM = ModelConfig(constructor="atom_resnet18")


def imagenet(seed=3):
    """A state dict with torchvision's names, the end of the network included."""
    with torch.random.fork_rng(devices=[]):
        net = resnet18(generator=torch.Generator().manual_seed(seed))
    for name, value in net.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            value.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))
    return net.state_dict()


def assert_backbone_is(net, weights):
    backbone = net.feature_extractor.state_dict()
    assert not any(key.startswith(("layer4", "fc")) for key in backbone)
    assert all(torch.equal(backbone[key], weights[key]) for key in backbone if "num_batches" not in key)


def test_backbone_weights_load_from_a_pytorch_file(tmp_path):
    torch.save(imagenet(), tmp_path / "resnet18.pth")
    net = build_network(ModelConfig(constructor="atom_resnet18", pretrained=tmp_path / "resnet18.pth"))
    assert_backbone_is(net, imagenet())


def test_backbone_weights_load_from_safetensors_without_end_and_counters(tmp_path):
    weights = {k: v for k, v in imagenet().items() if not k.startswith(("layer4", "fc")) and "num_b" not in k}
    save_file(weights, tmp_path / "trunk.safetensors")
    net = build_network(ModelConfig(constructor="atom_resnet18", pretrained=tmp_path / "trunk.safetensors"))
    assert_backbone_is(net, imagenet())


def test_backbone_weights_load_from_the_checkpoint_of_a_tracker(tmp_path):
    weights = {f"feature_extractor.{key}": value for key, value in imagenet().items()}
    save_file(weights | {"bb_regressor.x": torch.zeros(1)}, tmp_path / "tracker.safetensors")
    net = build_network(ModelConfig(constructor="atom_resnet18", pretrained=tmp_path / "tracker.safetensors"))
    assert_backbone_is(net, imagenet())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("layer2.0.conv1.weight"), r"1 missing: layer2\.0\.conv1\.weight"),
        (lambda w: w.update(extra=torch.zeros(1)), "1 unexpected: extra"),
        (lambda w: w.update({"conv1.weight": torch.zeros(64, 1, 7, 7)}), "1 misshapen: conv1.weight"),
    ],
)
def test_weights_of_another_network_are_refused_key_by_key(tmp_path, change, message):
    weights = imagenet()
    change(weights)
    save_file(weights, tmp_path / "odd.safetensors")
    with pytest.raises(CheckpointError, match=f"do not fit:\n.*{message}"):
        build_network(ModelConfig(constructor="atom_resnet18", pretrained=tmp_path / "odd.safetensors"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no file .*gone\.pth"):
        build_network(ModelConfig(constructor="atom_resnet18", pretrained=tmp_path / "gone.pth"))


def test_training_from_scratch_must_be_asked_for():
    with pytest.raises(RecipeError, match=r"--set model\.from_scratch=true"):
        build_network(ATOM)
    generator = torch.Generator().manual_seed(0)
    assert build_network(ModelConfig(constructor="lockon_s", from_scratch=True), generator).classifier is not None


def test_finetuning_starts_from_a_whole_tracker():
    from lockon.zoo import load_network

    net = build_network(ModelConfig(constructor="lockon_s", finetune="lockon_s"))
    trained = load_network("lockon_s")[0].state_dict()
    assert all(torch.equal(value, trained[key]) for key, value in net.state_dict().items())
    assert all(module.training for module in net.modules())


def test_finetuning_from_another_kind_of_network_is_refused():
    with pytest.raises(RecipeError, match="'lockon_s' is a 'lockon_s', and the recipe trains a 'dimpnet18'"):
        build_network(ModelConfig(constructor="dimpnet18", finetune="lockon_s"))
    with pytest.raises(UnknownNameError, match="unknown tracker 'lockon_x'"):
        build_network(ModelConfig(constructor="lockon_s", finetune="lockon_x"))


def test_finetuning_a_network_of_other_sizes_is_refused():
    with pytest.raises(
        RecipeError, match=r"'lockon_s' is not the network that model\.arguments describe:\n.*misshapen"
    ):
        build_network(ModelConfig(constructor="lockon_s", arguments={"width": 12}, finetune="lockon_s"))


def test_an_unknown_iou_network_gets_the_nearest_name():
    config = ModelConfig(constructor="atom_resnet18", arguments={"iou_net": "siames"}, from_scratch=True)
    with pytest.raises(UnknownNameError, match=r"unknown IoU network 'siames'\. Did you mean 'siamese'"):
        build_network(config)
