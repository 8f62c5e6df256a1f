"""The chart is drawn from committed rows: what they say is shown, what they lack is said."""

import pytest
from matplotlib.text import Text

from benchmarks import pareto
from benchmarks.label_placement import Box
from benchmarks.pareto_chart import pareto_chart
from benchmarks.pareto_points import Panel, Point, panel
from benchmarks.report import write_rows
from cvqe.errors import InputError

GAINS = {"ldp-hm": {"dcad": 0.10, "stdf_r3": 0.20}, "ai-tu3": {"dcad": 0.15, "vrcnn": 0.05}}
PARAMETERS = {"dcad": "9", "stdf_r3": "8", "vrcnn": "7"}
MS = {"dcad": "4", "stdf_r3": "12.5", "ai-tu3/vrcnn": "2", "live": "7", "live_int8": "6"}
DECODED_DB = 29.05


def study_rows():
    same = {"qp": "37", "guide": "", "n_clips": "2", "frames": "8", "psnr_db_decoded": str(DECODED_DB)}
    budget = {"steps": "5000", "batch": "16", "patch_px": "64"}
    return [
        {"variant": name, "coding": coding, "gain_db": str(gain), "parameters": PARAMETERS[name], **same, **budget}
        for coding, gains in GAINS.items()
        for name, gain in gains.items()
    ]


def speed_row(label, median_ms, parameters, **changes):
    place = {"width": "416", "height": "240", "way": "best", "machine": "a machine"}
    return {"label": label, "median_ms": median_ms, "parameters": parameters, **place, **changes}


def speed_rows():
    return [speed_row(label, ms, PARAMETERS.get(label.rpartition("/")[2], "1")) for label, ms in MS.items()]


def preset_rows(label="live", precision="bf16", gains=(0.2, 0.4), decoded_db=DECODED_DB, coding="ldp-hm"):
    same = {"configuration": coding, "qp": "37", "first_frames": "20", "psnr_db_decoded": str(decoded_db)}
    subject = {"subject": f"{label} openvino {precision}", "precision": precision}
    decoded = {"subject": "decoded", "precision": "", "delta_psnr_db": "0"}
    return [{**subject, "delta_psnr_db": str(gain), **same} for gain in gains] + [{**decoded, **same}]


def test_a_point_is_the_gain_and_the_time_of_one_network():
    presets = [*preset_rows(), *preset_rows("live_int8", "int8", gains=(0.1, 0.3))]
    found = panel("ldp-hm", study_rows(), speed_rows(), presets)
    assert found.points == [
        Point("DCAD", 4.0, 0.10),
        Point("STDF-R3", 12.5, 0.20),
        Point("live bf16", 7.0, pytest.approx(0.3), True),
        Point("live int8", 6.0, pytest.approx(0.2), True),
    ]
    assert (found.budget, found.untimed) == ("5,000 steps of 16 patches of 64x64", [])
    assert found.measured_on == "mean of 2 clips, their first 8 frames"


def test_a_label_may_name_the_coding():
    found = panel("ai-tu3", study_rows(), speed_rows(), preset_rows())
    assert found.points == [Point("DCAD", 4.0, 0.15), Point("VRCNN", 2.0, 0.05)]


@pytest.mark.parametrize("change", [{"parameters": "999"}, {"width": "832"}, {"way": "eager"}, {"median_ms": ""}])
def test_times_of_another_width_size_or_way_are_not_taken(change):
    rows = [{**row, **change} if row["label"] == "dcad" else row for row in speed_rows()]
    found = panel("ldp-hm", study_rows(), rows, [])
    assert ([point.title for point in found.points], found.untimed) == (["STDF-R3"], ["DCAD"])


def test_rows_of_other_qps_and_of_a_grid_that_stands_in_are_no_points():
    (first, *_), others = study_rows(), [{"qp": "35"}, {"guide": "grid"}]
    found = panel("ldp-hm", [*study_rows(), *({**first, **other} for other in others)], speed_rows(), [])
    assert len(found.points) == 2


def test_presets_of_other_frames_are_told():
    assert panel("ldp-hm", study_rows(), speed_rows(), preset_rows(decoded_db=29.02)).measured_on.endswith(
        "\nlive: other frames, decoded at 29.02 dB instead of 29.05"
    )


def test_frames_of_clips_of_unequal_length_are_told_by_presets_of_the_same():
    study = [{**row, "frames": ""} for row in study_rows()]
    told = [panel("ldp-hm", study, speed_rows(), presets).measured_on for presets in (preset_rows(), [])]
    assert told == ["mean of 2 clips, their first 20 frames", "mean of 2 clips"]


def test_a_coding_that_nobody_timed_is_refused():
    with pytest.raises(InputError, match="no network of ai-tu3 at QP 37 is both in the study and timed at 416x240"):
        panel("ai-tu3", study_rows(), [], [])


@pytest.fixture
def results(tmp_path):
    rows = {"study": study_rows(), "speed": speed_rows(), "presets": preset_rows()}
    for name, own in rows.items():
        write_rows(tmp_path / f"{name}.csv", own)
    return tmp_path


def arguments(folder):
    inputs = [word for name in ("study", "speed", "presets") for word in (f"--{name}", str(folder / f"{name}.csv"))]
    return [*inputs, "--output", str(folder / "pareto.png")]


def test_the_script_draws_what_it_reads(results, capsys):
    assert pareto.main(arguments(results)) == 0
    assert (results / "pareto.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"{results / 'pareto.png'}\n"


def test_the_script_says_which_command_makes_what_is_missing(results, capsys):
    (results / "speed.csv").unlink()
    assert pareto.main(arguments(results)) == 3
    assert "It is made by:  python benchmarks/table4.py" in capsys.readouterr().err


def test_names_stand_apart_in_the_chart():
    crowd = [Point(f"network {number}", 10 + number / 10, 0.1 + number / 500) for number in range(9)]
    whole = Panel("ldp-hm", [*crowd, Point("live", 9.0, 0.3, True)], "9 steps", "2 clips", [])
    figure = pareto_chart([whole], "a machine")
    figure.draw_without_rendering()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    assert sorted(text.get_text() for text in texts) == sorted(point.title for point in whole.points)
    boxes = [Box(*Text.get_window_extent(text).bounds) for text in texts]  # the words without their line
    assert all(one.shared_area(other) == 0 for place, one in enumerate(boxes) for other in boxes[:place])


def test_both_fronts_are_drawn_where_presets_are_shown():
    points = [Point("a", 1.0, 0.1), Point("b", 2.0, 0.2), Point("live", 1.5, 0.3, True)]
    figure = pareto_chart([Panel("ldp-hm", points, "9 steps", "2 clips", [])], "a machine")
    lines = {line.get_label(): list(map(tuple, line.get_xydata())) for line in figure.axes[0].get_lines()}
    end = figure.axes[0].get_xlim()[1]
    assert lines["Pareto front of those trained alike"] == [(1, 0.1), (2, 0.1), (2, 0.2), (end, 0.2)]
    assert lines["Pareto front"] == [(1, 0.1), (1.5, 0.1), (1.5, 0.3), (end, 0.3)]
