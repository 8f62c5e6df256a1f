"""Two small clips with their coded versions, made once."""

from pathlib import Path

import pytest

from tests.media import make_video
from training.coder import decode_pictures, encode_hevc, frame_rate

SIZE = (64, 48)
N_FRAMES = 6
QPS = (22, 37)


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in "ab":
        make_video(folder / f"{name}.mkv", frames=N_FRAMES, size=SIZE, codec="ffv1")
    return folder


@pytest.fixture(scope="session")
def coded(clips, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("coded")
    for qp in QPS:
        versions = folder / f"ldp_qp{qp}"
        versions.mkdir()
        for clip in sorted(clips.glob("*.mkv")):
            content = encode_hevc(decode_pictures(clip), frame_rate(clip), "ldp", qp)
            (versions / clip.name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory) -> Path:
    """A recipe of seconds: the smallest live, six steps; read only."""
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(
        '[network]\nname = "live"\noptions = { channels = 8, blocks = 1, motion = 8 }\n'
        "[data]\nqp = [37]\npatch_px = 32\n"
        "[schedule]\nsteps = 6\nbatch = 2\nwarm_up = 2\nema = 0.9\n"
        '[loss]\nalignment = 1.0\n[run]\nprecision = "fp32"\nlog_every = 2\nsave_every = 2\nvalidate_every = 4\n'
    )
    return path
