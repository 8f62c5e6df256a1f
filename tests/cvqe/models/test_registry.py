import subprocess
import sys

import pytest
import torch

from cvqe.errors import UsageError
from cvqe.models import create, names, takes_qp
from tests.networks import example_inputs, made_up_network


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match="no network 'tgafnt'") as caught:
        create("tgafnt")
    assert all(name in str(caught.value) for name in names())


@pytest.mark.parametrize("name", names())
def test_every_network_takes_a_window_and_returns_its_target_enhanced(name):
    network = create(name).eval()
    inputs = window, *_ = example_inputs(network, 5, 6, n=2)
    with torch.no_grad():
        enhanced, residual = network(*inputs), network.residual(*inputs)
    assert enhanced.shape == residual.shape == (2, 1, 5, 6)
    assert enhanced.dtype == torch.float32
    assert torch.equal(enhanced, window[:, network.radius, None] + residual)


@pytest.mark.parametrize("name", names())
def test_a_network_is_told_a_qp_for_every_window_or_none_at_all(name):
    network = made_up_network(name)
    window, *qp = example_inputs(network, 16, 16, n=2)
    assert len(qp) == takes_qp(network)
    if not qp:
        return
    with torch.no_grad():
        both = network.residual(window[:1].expand_as(window), *qp)
        alone = network.residual(window[:1], qp[0][1:])
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=0)
    assert not torch.allclose(both[0], both[1], atol=1e-5)


def test_options_reach_the_network():
    assert len(create("tgafnet", blocks=1).qenet.hid_conv) < len(create("tgafnet", blocks=2).qenet.hid_conv)


def test_importing_the_names_imports_no_torch():
    code = "import sys, cvqe.models; assert cvqe.models.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
