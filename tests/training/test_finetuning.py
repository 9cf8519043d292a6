from dataclasses import replace

import pytest
import torch

from lockon.errors import UnknownNameError
from lockon.networks.tracker_net import build
from lockon.training.finetuning import finetuning
from lockon.training.models import drop_classifier_end
from lockon.training.recipes import FINETUNE, RECIPES
from lockon.zoo import Card, write_model


def test_our_own_tracker_is_adapted_by_the_recipe_for_it(tmp_path):
    recipe = finetuning("lockon_s", tmp_path)
    data, held_out = recipe.data[0], recipe.validation_data[0]
    assert (data.root, held_out.root) == (tmp_path, tmp_path)
    assert (data.part, held_out.part) == ("train", "held_out")
    assert recipe.model.finetune == "lockon_s"
    assert (
        replace(recipe, model=FINETUNE.model, data=FINETUNE.data, validation_data=FINETUNE.validation_data)
        == FINETUNE
    )


@pytest.mark.slow
def test_another_tracker_keeps_its_losses_and_learns_more_gently(tmp_path):
    arguments = {"optim_init_reg": 0.2}
    net = build("dimpnet18", {**arguments, "generator": torch.Generator().manual_seed(0)})
    drop_classifier_end(net.feature_extractor)
    card = Card(constructor="dimpnet18", arguments=arguments, tracker="dimp18_vot18", licence="", origin="")
    path = write_model(tmp_path / "mine.safetensors", net.state_dict(), card)
    recipe, base = finetuning(str(path), tmp_path), RECIPES["dimp18"]
    assert (recipe.objective, recipe.samples) == (base.objective, base.samples)
    assert recipe.tracker == "dimp18_vot18"
    assert recipe.model.arguments == arguments
    assert [group.lr for group in recipe.groups] == pytest.approx([0.1 * group.lr for group in base.groups])
    assert recipe.loop == FINETUNE.loop
    assert recipe.data[0].root == tmp_path


def test_an_unknown_tracker_gets_the_nearest_name(tmp_path):
    with pytest.raises(UnknownNameError, match="lockon_s"):
        finetuning("lockon_t", tmp_path)
