"""AVC with the structures of the HEVC configurations: one x264 parameter string each, checked on the bits."""

from cvqe.errors import UsageError
from training.qp_pattern import zones

PRESET = "medium"
LOW_DELAY = "qp={qp}:bframes=0:keyint=infinite:scenecut=0:ref=4:ipratio=1"
CONFIGURATIONS = {
    "ldp": LOW_DELAY,
    "ldp-hm": LOW_DELAY,
    "ai": "qp={qp}:keyint=1:bframes=0:ipratio=1",
    # the ratios are x265's: I three QPs finer, B two coarser, and one where others refer to it
    "ra": "qp={qp}:keyint=32:bframes=7:b-adapt=0:b-pyramid=normal:scenecut=0:open-gop=1:ref=4:ipratio=1.4:pbratio=1.3",
}
# the encoder of a standard's reference software has none of these: QPs that follow the content or the future,
# psychovisual decisions, weighted prediction
PLAIN = "aq-mode=0:mbtree=0:psy=0:weightp=0:weightb=0"
# x264's threads change the bits, and so does what the CPU offers
ALWAYS = "threads=1:lookahead-threads=1:cpu-independent=1"


def x264_params(configuration: str, qp: int, n_frames: int | None = None) -> str:
    """Return the x264 parameters of one configuration; `ldp`, `ldp-hm`, `ai`, `ra` as in x265_settings.py.

    Args:
        configuration: a key of CONFIGURATIONS.
        qp: quantiser of the first frame (of P frames in `ra`), 1 to 51.
        n_frames: of the clip; only `ldp-hm` has to know.

    Raises:
        UsageError: a configuration that is not in the table, or `ldp-hm` without n_frames.
    """
    if configuration not in CONFIGURATIONS:
        raise UsageError(f"no configuration {configuration!r}; choose one of {', '.join(CONFIGURATIONS)}.")
    parts = [CONFIGURATIONS[configuration].format(qp=qp)]
    if configuration == "ldp-hm":
        if n_frames is None:
            raise UsageError("ldp-hm gives every frame a QP of its own; say how many frames there are: n_frames=60.")
        parts.append("zones=" + zones(qp, n_frames, first=0))
    return ":".join([*parts, PLAIN, ALWAYS])
