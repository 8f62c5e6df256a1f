import pytest
import torch

from cvqe.errors import CvqeError
from cvqe.models import create
from tests.training.test_patches import data, pair
from training.loop import Trainer, is_due, rate_at
from training.patches import PatchSource
from training.processes import Place
from training.recipe import Recipe, ScheduleRecipe, with_overrides

ALONE = Place(0, 1, torch.device("cpu"))
SMALL = with_overrides(
    Recipe(),
    ['run.precision="fp32"', "schedule.steps=30", "schedule.batch=4", "schedule.warm_up=2", "schedule.ema=0.5"],
)
SOURCE = PatchSource([pair(size=(32, 32))], 3, data(16), seed=0)


def trainer(recipe=SMALL):
    torch.manual_seed(0)
    return Trainer(create("live", channels=8, motion=8), recipe, ALONE)


def test_the_rate_rises_then_falls_to_zero():
    schedule = ScheduleRecipe(steps=100, warm_up=10)
    rates = [rate_at(step, schedule) for step in range(101)]
    assert rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[100] == pytest.approx(0, abs=1e-6)


def test_a_constant_rate_stays():
    schedule = ScheduleRecipe(steps=100, warm_up=4, decay="constant")
    assert [rate_at(step, schedule) for step in (0, 3, 4, 99)] == [0.25, 1.0, 1.0, 1.0]


def test_a_rate_in_steps_is_a_tenth_from_the_middle_on():
    schedule = ScheduleRecipe(steps=100, warm_up=4, decay="step")
    assert [rate_at(step, schedule) for step in (0, 4, 49, 50, 99)] == [0.25, 1.0, 1.0, 0.1, 0.1]


def test_training_lowers_the_loss():
    # the coder's error is one level everywhere, which a bias of the last layer can learn
    learner = trainer()
    losses = [float(learner.learn(SOURCE.batch(step, 0, 4))["picture"]) for step in range(30)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_restored_trainer_takes_the_very_same_steps():
    uninterrupted, first = trainer(), trainer()
    for step in range(3):
        first.learn(SOURCE.batch(step, 0, 4))
    second = trainer()
    second.load_state(first.state())
    for step in range(3, 6):
        second.learn(SOURCE.batch(step, 0, 4))
    for step in range(6):
        uninterrupted.learn(SOURCE.batch(step, 0, 4))
    for one, other in ((uninterrupted.network, second.network), (uninterrupted.average, second.average)):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_the_average_follows_and_is_what_the_checkpoint_holds():
    learner = trainer()
    before = learner.average.tail.weight.clone()
    for step in range(5):
        learner.learn(SOURCE.batch(step, 0, 4))
    kept = learner.checkpoint()["state_dict"]["tail.weight"]
    assert not torch.equal(kept, before)
    assert not torch.equal(kept, learner.network.tail.weight)
    assert (kept - learner.network.tail.weight).abs().max() < (before - learner.network.tail.weight).abs().max()


def test_bfloat16_is_used_where_asked_for():
    learner = trainer(with_overrides(SMALL, ['run.precision="bf16"']))
    seen = []
    learner.network.tail.register_forward_hook(lambda *call: seen.append(call[-1].dtype))
    learner.learn(SOURCE.batch(0, 0, 4))
    assert seen == [torch.bfloat16]


def test_a_loss_that_is_no_number_stops_with_a_sentence():
    learner = trainer()
    learner.network.tail.weight.data[:] = float("nan")
    with pytest.raises(CvqeError, match="the loss is nan at step 0"):
        learner.learn(SOURCE.batch(0, 0, 4))


def test_intervals():
    assert [step for step in range(1, 9) if is_due(step, 4)] == [4, 8]
    assert not is_due(0, 0)


def test_a_network_with_3d_convolutions_learns():
    options = {"channels": 4, "frame_channels": 2}
    learner = Trainer(create("cf_stif", **options), SMALL, ALONE)
    before = learner.network.qe.conv_last.weight.detach().clone()
    learner.learn(SOURCE.batch(0, 0, 2))
    assert not torch.equal(before, learner.network.qe.conv_last.weight)
