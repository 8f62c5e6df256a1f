import subprocess
import sys

import pytest
import torch

from cvqe.errors import UsageError
from cvqe.models import create, names


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match="no network 'tgafnt'") as caught:
        create("tgafnt")
    assert all(name in str(caught.value) for name in names())


@pytest.mark.parametrize("name", names())
def test_every_network_takes_a_window_and_returns_its_target_enhanced(name):
    network = create(name).eval()
    window = torch.rand(2, 2 * network.radius + 1, 5, 6)
    with torch.no_grad():
        enhanced, residual = network(window), network.residual(window)
    assert enhanced.shape == residual.shape == (2, 1, 5, 6)
    assert enhanced.dtype == torch.float32
    assert torch.equal(enhanced, window[:, network.radius, None] + residual)


def test_options_reach_the_network():
    assert len(create("tgafnet", blocks=1).qenet.hid_conv) < len(create("tgafnet", blocks=2).qenet.hid_conv)


def test_importing_the_names_imports_no_torch():
    code = "import sys, cvqe.models; assert cvqe.models.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
