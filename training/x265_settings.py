"""HEVC as the papers code it: one x265 parameter string per configuration, checked on the bits."""

from cvqe.errors import UsageError
from training.qp_pattern import zones

PRESET = "medium"
# flat QP, one reference structure, no adaptive quantisation: a network learns the codec, not its rate control.
# cutree stays off for another reason too: x265 4.2 writes outside its heap with it
LOW_DELAY = "qp={qp}:bframes=0:keyint=-1:scenecut=0:ref=4:ipratio=1:aq-mode=0:cutree=0"
CONFIGURATIONS = {
    "ldp": LOW_DELAY,
    "ldp-hm": LOW_DELAY,
    "ai": "qp={qp}:keyint=1:bframes=0:ipratio=1:aq-mode=0",
    "ra": "qp={qp}:keyint=32:min-keyint=32:bframes=7:b-adapt=0:b-pyramid=1:scenecut=0:open-gop=1:aq-mode=0:cutree=0",
}
# no thread pool: the same bits on every machine
ALWAYS = "log-level=none:frame-threads=1:pools=none"
# HM decides by squared error alone; x265's psychovisual cost avoids splits. In low delay at QP 37 the coded area with
# transforms smaller than their coding unit is 22 % without it and 10 % with it
HM_TREES = "tu-intra-depth={depth}:tu-inter-depth={depth}:limit-tu=0:psy-rd=0"


def x265_params(configuration: str, qp: int, n_frames: int | None = None, transform_depth: int = 1) -> str:
    """Return the x265 parameters of one configuration.

    `ldp` is low-delay P with one QP for all frames, `ldp-hm` low-delay P with HM's QPs (qp_pattern.py), `ai` all-intra,
    `ra` random access: intra frames every 32, seven B frames between two P; x265's own ratios make I three QPs finer
    and B two coarser. `ldp-hm` keeps x265's reference frames, the last four; HM's are the last one and three of the
    finer ones before it.

    Args:
        configuration: a key of CONFIGURATIONS.
        qp: quantiser of the first frame, 1 to 51.
        n_frames: of the clip; only `ldp-hm` has to know.
        transform_depth: how often a coding unit may be split into transforms, as HM counts (QuadtreeTUMaxDepth: 3 in
            HM's own configurations): 1, x265's default, never splits and adds no parameter.

    Raises:
        UsageError: a configuration that is not in the table, or `ldp-hm` without n_frames.
    """
    if configuration not in CONFIGURATIONS:
        raise UsageError(f"no configuration {configuration!r}; choose one of {', '.join(CONFIGURATIONS)}.")
    parts = [CONFIGURATIONS[configuration].format(qp=qp)]
    if configuration == "ldp-hm":
        if n_frames is None:
            raise UsageError("ldp-hm gives every frame a QP of its own; say how many frames there are: n_frames=60.")
        parts.append("zones=" + zones(qp, n_frames, first=1))
    if transform_depth > 1:
        parts.append(HM_TREES.format(depth=transform_depth))
    return ":".join([*parts, ALWAYS])
