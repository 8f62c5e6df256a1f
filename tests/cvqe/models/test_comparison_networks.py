"""The networks that ours is compared with: their published counts, any size, any precision."""

import pytest
import torch

from cvqe.macs import count_macs
from cvqe.models import create
from cvqe.thop_macs import thop_macs
from tests.cvqe.models.comparison import COMPARISONS, official_shapes
from tests.networks import example_inputs, made_up_network, picture_of

# what `thop` says at 416x240
THOP_GMACS = {"stdf_r3l": 83.52, "rfda": 56.82, "cf_stif": 182.62}
OFFICIAL = ("cf_stif", "rfda", "stdf_r3", "stdf_r3l")
BFLOAT16_SHARE = 0.2  # of the residual: tens of layers that round to 8 bits, and noise that is warped by their flow
labelled = pytest.mark.parametrize(
    "comparison", COMPARISONS, ids=[f"{each.name} {each.n_parameters}" for each in COMPARISONS]
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute on one thread: on busy cores, waiting for each other at every small layer takes longer."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def small(comparison):
    return made_up_network(comparison.name, **{**comparison.options, **comparison.small})


@labelled
def test_it_has_the_published_number_of_parameters(comparison):
    network = create(comparison.name, **comparison.options)
    assert sum(p.numel() for p in network.parameters()) == comparison.n_parameters


@labelled
def test_it_needs_so_many_multiply_accumulates(comparison):
    assert count_macs(create(comparison.name, **comparison.options), 240, 416) == comparison.macs


@pytest.mark.parametrize("name, gmacs", THOP_GMACS.items())
def test_counted_as_papers_count_it_is_what_they_publish(name, gmacs):
    assert round(thop_macs(create(name), 240, 416) / 1e9, 2) == gmacs


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_public_checkpoint_fits_as_it_is(name):
    shapes = {key: list(tensor.shape) for key, tensor in create(name).state_dict().items()}
    assert shapes == official_shapes(name)


@labelled
@pytest.mark.parametrize("height, width", [(1, 1), (2, 5), (15, 14), (33, 19)])
def test_it_takes_a_frame_of_any_size(comparison, height, width):
    network = small(comparison)
    with torch.no_grad():
        enhanced = picture_of(network(*example_inputs(network, height, width)))
    assert enhanced.shape == (1, 1, height, width)
    assert torch.isfinite(enhanced).all()


@labelled
def test_every_parameter_learns(comparison):
    network = small(comparison).train()
    outputs = network(*example_inputs(network, 33, 47, n=2))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(output.square().sum() for output in outputs).backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@labelled
def test_every_frame_of_its_window_matters(comparison):
    network = small(comparison)
    window, *others = example_inputs(network, 16, 18)
    with torch.no_grad():
        before = picture_of(network(window, *others))
        for place in range(window.shape[1]):
            changed = window.clone()
            changed[:, place] = 1 - changed[:, place]
            assert (picture_of(network(changed, *others)) - before).abs().max() > 1e-4


@labelled
def test_in_bfloat16_the_picture_is_a_float32_sum(comparison):
    network = small(comparison)
    window, *others = example_inputs(network, 16, 24)
    with torch.no_grad():
        exact = picture_of(network(window, *others))
        rounded = picture_of(network.to(torch.bfloat16)(window, *others))
    assert rounded.dtype == torch.float32
    lacking = (exact - window[:, network.radius : network.radius + 1]).std()
    assert (rounded - exact).square().mean().sqrt() < BFLOAT16_SHARE * lacking
