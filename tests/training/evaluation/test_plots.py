"""Pictures are drawn, of the right sizes and under the right names; what they look like is for eyes."""

import sys

import numpy as np
import pytest

from cvqe.errors import BackendError
from tests.training.evaluation.examples import case_facts, result
from training.evaluation.gain_plot import gain_figure
from training.evaluation.plot_style import COLORS, new_figure, refuse_missing_matplotlib, styles
from training.evaluation.plots import write_plots
from training.evaluation.psnr_plot import psnr_figure

pytest.importorskip("matplotlib")


def results(qps=(32, 37), names=("net",)):
    return [
        result(case_facts(clip, qp), name, [30.0, 31.0], [30.5, 31.2 + number])
        for clip in "ab"
        for qp in qps
        for number, name in enumerate(names)
    ]


def test_every_picture_has_its_file(tmp_path):
    written = write_plots(results(), tmp_path / "plots")
    assert sorted(path.name for path in written) == [
        "crops_ldp_qp37_net.png",
        "gain_by_qp_ldp.png",
        "psnr_ldp_qp32.png",
        "psnr_ldp_qp37.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)


def test_a_pair_of_files_and_first_frames_have_pictures_too(tmp_path):
    single = [result(case_facts(qp=None, configuration="file", first_frames=8), "net", [30.0], [31.0])]
    written = write_plots(single, tmp_path)
    assert sorted(path.name for path in written) == ["crops_file_net_first8.png", "psnr_file_first8.png"]


def test_curves_are_the_frames_and_gains_the_means():
    looks = styles(["net"])
    axes, *_ = psnr_figure(results((37,)), looks, "ldp").axes
    np.testing.assert_allclose([line.get_ydata() for line in axes.get_lines()], [[30.0, 31.0], [30.5, 31.2]])
    left, right = gain_figure(results(), looks, "ldp").axes
    mean, worst, _ = left.get_lines()
    np.testing.assert_allclose(mean.get_ydata(), [0.35, 0.35])
    np.testing.assert_allclose(worst.get_xdata(), [32, 37])
    np.testing.assert_allclose(right.get_lines()[0].get_ydata(), [70, 70])


def test_large_losses_are_cut_and_the_title_says_so():
    lossy = [*results(), *[result(case_facts("a", qp), "bad", [30.0], [20.0]) for qp in (32, 37)]]
    left, _ = gain_figure(lossy, styles(["net", "bad"]), "ldp").axes
    assert left.get_ylim()[0] == pytest.approx(-1.5 * 0.35)
    assert "cut at -0.525" in left.get_title(loc="left")


def test_colors_come_again_dashed():
    looks = styles([f"net {number}" for number in range(len(COLORS) + 1)])
    assert looks["net 0"].color == looks[f"net {len(COLORS)}"].color
    assert looks["net 0"] != looks[f"net {len(COLORS)}"]


def test_a_missing_library_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BackendError, match=r"matplotlib is not installed.*\nInstall it:  pip install .*matplotlib$"):
        new_figure(1, 1)
    with pytest.raises(BackendError, match=r"matplotlib is not installed.*\n.* or:  --no-plots$"):
        refuse_missing_matplotlib("--no-plots")
