"""HM's low-delay quantisers: every frame of a group of four is coded at an offset of its own."""

# encoder_lowdelay_P_main.cfg of HM 16: QPoffset of the frames 1 to 4 of every group; the first frame of all has none
HM_OFFSETS = (3, 2, 3, 1)
MIN_QP, MAX_QP = 1, 51  # x264 codes without any loss at 0


def frame_qps(qp: int, n_frames: int) -> list[int]:
    """Return the quantiser of every frame: qp, qp+3, qp+2, qp+3, qp+1, qp+3, ..., no more than 51."""
    offsets = [HM_OFFSETS[(number - 1) % len(HM_OFFSETS)] if number else 0 for number in range(n_frames)]
    return [min(qp + offset, MAX_QP) for offset in offsets]


def zones(qp: int, n_frames: int, first: int) -> str:
    """Return x264's and x265's `zones` that give every frame its quantiser.

    Args:
        qp: of the first frame.
        n_frames: in the clip.
        first: number of the first frame: x264 counts from 0, x265 from 1.
    """
    qps = enumerate(frame_qps(qp, n_frames), start=first)
    return "/".join(f"{number},{number},q={frame_qp}" for number, frame_qp in qps)
