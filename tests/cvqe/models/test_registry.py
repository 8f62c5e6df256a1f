import subprocess
import sys

import pytest
import torch

from cvqe.errors import UsageError
from cvqe.models import create, hidden_channels, names, takes_guide, takes_qp
from tests.networks import example_inputs, made_up_network, picture_of


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match="no network 'tgafnt'") as caught:
        create("tgafnt")
    assert all(name in str(caught.value) for name in names())


@pytest.mark.parametrize("name", names())
def test_every_network_takes_a_window_and_returns_its_target_enhanced(name):
    network = create(name).eval()
    inputs = window, *_ = example_inputs(network, 5, 6, n=2)
    with torch.no_grad():
        enhanced = picture_of(network(*inputs))
        assert enhanced.shape == (2, 1, 5, 6)
        assert enhanced.dtype == torch.float32
        if hasattr(network, "residual"):
            assert torch.equal(enhanced, window[:, network.radius, None] + network.residual(*inputs))


@pytest.mark.parametrize("name", names())
def test_every_window_of_a_batch_has_a_qp_a_guide_and_a_state_of_its_own(name):
    network = made_up_network(name)
    window, *others = example_inputs(network, 16, 16, n=2)
    assert len(others) == takes_qp(network) + takes_guide(network) + bool(hidden_channels(network))
    if not others:
        return
    with torch.no_grad():
        both = picture_of(network(window[:1].expand_as(window), *others))
        alone = picture_of(network(window[:1], *(other[1:] for other in others)))
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=0)
    assert not torch.allclose(both[0], both[1], atol=1e-5)


def test_options_reach_the_network():
    assert len(create("tgafnet", blocks=1).qenet.hid_conv) < len(create("tgafnet", blocks=2).qenet.hid_conv)


def test_importing_the_names_imports_no_torch():
    code = "import sys, cvqe.models; assert cvqe.models.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
