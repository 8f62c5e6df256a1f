import numpy as np
import pytest
import torch

from cvqe.layers.warp import warp
from cvqe.models import create
from cvqe.models.live import Sight
from training.identity_start import start_near_identity
from training.recipe import LossRecipe
from training.supervision import (
    Supervised,
    fading,
    live_alignment,
    targets_of,
    taught,
    tgafnet_alignment,
    unrolled,
)


def moving_batch(size=32, n=2):
    """A picture that moves by (1, 2) px a frame, coded without loss."""
    torch.manual_seed(0)
    big = torch.nn.functional.avg_pool2d(torch.rand(n, 1, size + 40, size + 40), 5, 1, 2)
    frames = [big[:, :, 20 + k : 20 + k + size, 20 + 2 * k : 20 + 2 * k + size] for k in range(-3, 4)]
    window = torch.cat(frames, 1)
    return {
        "window": window,
        "pristine": window.clone(),
        "frame_mse": torch.full((n,), 50.0),
        "qp": torch.full((n,), 37.0),
    }


@pytest.mark.parametrize("network, options", [("live", {"channels": 8, "motion": 8}), ("tgafnet", {"blocks": 1})])
def test_the_terms_have_their_names_and_gradients_reach_every_weight(network, options):
    supervised = Supervised(create(network, **options), LossRecipe(alignment=1.0), n_steps=10, seed=0)
    if network == "tgafnet":
        torch.nn.init.normal_(supervised.network.qenet.out_conv.weight)
    loss, terms = supervised(moving_batch(), 0)
    assert set(terms) == {"picture", "error", "decoded", "alignment"}
    loss.backward()
    assert all(parameter.grad is not None for parameter in supervised.parameters())


def test_mganets_smaller_images_count_half_as_much_each():
    network = create("mganet", channels=4, radius=1, guided=True)
    batch = moving_batch()
    batch = {**batch, "window": batch["window"][:, 2:5], "pristine": batch["pristine"][:, 2:5]}
    batch["guide"] = batch["window"][:, 1:2]
    supervised = Supervised(network, LossRecipe(picture="mse"), n_steps=10, seed=0)
    loss, terms = supervised(batch, 0)
    images = network.images(batch["window"], batch["guide"])
    target = batch["pristine"][:, 1:2]
    expected = ((images.enhanced - target) ** 2).mean()
    for i, image in enumerate(images.intermediate, 1):
        pooled = torch.nn.functional.avg_pool2d(target, 2**i)
        expected = expected + ((image - pooled) ** 2).mean() / 2**i
    assert terms["picture"].item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    assert all(parameter.grad is not None for parameter in supervised.parameters())


def test_a_teacher_is_learned_from_and_does_not_learn():
    teacher = create("live", channels=8, motion=8)
    supervised = Supervised(
        create("tgafnet", blocks=1), LossRecipe(distillation=1.0), n_steps=10, seed=0, teacher=teacher
    )
    batch = moving_batch()
    loss, terms = supervised(batch, 0)
    with torch.no_grad():
        difference = (supervised.network(batch["window"]) - teacher(batch["window"], batch["qp"])) * 255
    assert terms["distillation"].item() == pytest.approx((difference**2).mean().item() / 50, rel=1e-3)
    assert loss.item() == pytest.approx(terms["picture"].item() + terms["distillation"].item(), rel=1e-5)
    loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not any(name.startswith("teacher") for name, _ in supervised.named_parameters())


def test_a_teacher_falls_silent():
    assert [taught(step, 100) for step in (0, 40, 80, 100)] == [1.0, 0.5, 0.0, 0.0]


def test_without_its_weight_alignment_is_not_computed():
    supervised = Supervised(create("live", channels=8, motion=8), LossRecipe(), n_steps=10, seed=0)
    loss, terms = supervised(moving_batch(), 0)
    assert set(terms) == {"picture", "error", "decoded"}
    assert loss.item() == terms["picture"].item()


def test_decoded_is_the_loss_of_the_untouched_input():
    batch = moving_batch()
    batch["pristine"] = batch["window"] + 5 / 255
    supervised = Supervised(create("live", channels=8, motion=8), LossRecipe(), n_steps=10, seed=0)
    assert supervised(batch, 0)[1]["decoded"].item() == pytest.approx(25 / 50, rel=1e-4)


def test_live_is_aligned_when_all_passes_follow_the_motion():
    size = 160
    pristine = moving_batch(size)["pristine"][:, 3:]
    target, neighbors = pristine[:, :1], pristine[:, 1::2]
    # a frame k later shows the target's (y, x) at (y - k, x - 2k)
    motion = torch.tensor([-1.0, -2.0, -3.0, -6.0]).view(1, 4, 1, 1)
    follows = Sight(target, motion.expand(2, 4, size, size), *[motion.expand(2, 4, size // 2, size // 2) / 2] * 2)
    stays = Sight(target, *(0 * displacement for displacement in follows[1:]))
    # what is left when it follows: samples outside the picture read 0
    assert live_alignment(follows, target, neighbors) < 0.6 * live_alignment(stays, target, neighbors)
    moved = warp(neighbors, follows.displacement)[..., 3:, 6:]
    torch.testing.assert_close(moved, target.expand_as(neighbors)[..., 3:, 6:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(6))
def test_tgafnet_is_aligned_when_every_tap_follows_the_motion(seed):
    batch = moving_batch(48)
    network = create("tgafnet", blocks=1)
    sight = network.sight(batch["window"])
    still = tgafnet_alignment(sight, batch["pristine"], np.random.default_rng(seed))
    for distance, offset_mask in zip((1, 2, 3), sight.offset_masks, strict=True):
        n_taps = offset_mask.shape[1] // 9
        offsets = offset_mask[:, : 6 * n_taps].unflatten(1, (3, n_taps, 2))
        for g, direction in ((0, -1), (2, 1)):  # a frame k later shows the target's (y, x) at (y - k, x - 2k)
            offsets[:, g, :, 0], offsets[:, g, :, 1] = -direction * distance, -2 * direction * distance
    moved = tgafnet_alignment(sight, batch["pristine"], np.random.default_rng(seed))
    assert moved < 0.005 < still


def test_the_alignments_weight_fades_to_a_fifth():
    weights = [fading(step, 100) for step in range(101)]
    assert weights[0] == 1.0
    assert weights == sorted(weights, reverse=True)
    assert weights[75] == weights[100] == 0.2


def test_a_recurrent_network_is_unrolled_over_its_targets():
    torch.manual_seed(0)
    network = create("rfda", fused=8, fusion=4, channels=8, hidden=1)
    window, pristine = torch.rand(2, 2, 9, 24, 24)  # two windows of three targets
    batch = {"window": window, "pristine": pristine, "frame_mse": torch.full((6,), 50.0), "qp": torch.full((2,), 37.0)}
    loss, terms = Supervised(network, LossRecipe(picture="mse"), n_steps=10, seed=0)(batch, 0)
    hidden, errors = torch.zeros(2, 8, 24, 24), []
    for t in range(3, 6):
        enhanced, hidden = network(window[:, t - 3 : t + 4], hidden)
        errors.append(((enhanced[:, 0] - pristine[:, t]) ** 2).mean())
    assert loss.item() == pytest.approx(torch.stack(errors).mean().item(), rel=1e-4)
    before = ((window[:, 3:6] - pristine[:, 3:6]) ** 2).mean().item()
    assert terms["decoded"].item() == pytest.approx(before * 255**2 / 50, rel=1e-4)
    loss.backward()
    assert network.wpnet.deform_conv.weight.grad.abs().sum() > 0  # what reads the state learns


def test_mfqe_is_told_how_well_it_aligns():
    torch.manual_seed(0)
    network = create("mfqe", channels=8, motion=4)
    start_near_identity(network)
    still = torch.rand(1, 1, 32, 32).expand(2, 3, 32, 32)
    batch = {"window": still, "pristine": still, "frame_mse": torch.full((2,), 50.0), "qp": torch.full((2,), 37.0)}
    supervised = Supervised(network, LossRecipe(alignment=1.0), n_steps=None, seed=0)
    near = supervised(batch, 0)[1]["alignment"].item()
    with torch.no_grad():
        network.motion.coarse.layers[-1].bias.fill_(0.1)  # 6 px to the side
    loss, terms = supervised(batch, 1000)
    assert terms["alignment"].item() > 3 * near
    assert loss.item() == pytest.approx(terms["picture"].item() + terms["alignment"].item(), rel=1e-5)  # nothing faded
    loss.backward()
    assert network.motion.coarse.layers[-1].bias.grad.abs().sum() > 0


def test_targets_and_what_a_recurrent_network_makes_of_them_have_one_order():
    window = torch.arange(2 * 9.0).view(2, 9, 1, 1).expand(2, 9, 4, 4)

    class Echo(torch.nn.Module):
        radius, hidden_channels = 3, 1

        def forward(self, window, hidden):
            return window[:, 3:4], hidden + 1

    torch.testing.assert_close(unrolled(Echo(), window, torch.zeros(2)), targets_of(window, 3))
