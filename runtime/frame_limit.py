"""The first N frames of a video, and of other streams what belongs to their time."""

import math
from collections.abc import Iterator

from cvqe.frame import Frame
from runtime.copied_packet import CopiedPacket

INTERLEAVE_S = 1.0  # how much later than its frame a packet of the same moment may stand in a file


def first_frames(items: Iterator[Frame | CopiedPacket], limit: int) -> Iterator[Frame | CopiedPacket]:
    """Yield the first `limit` frames, and packets that start before the last of them ends.

    A packet waits until the frames have reached its time; which one is the last shows only then.
    """
    n_frames, end_s = 0, -math.inf
    waiting: list[CopiedPacket] = []
    for item in items:
        if isinstance(item, CopiedPacket):
            waiting.append(item)
        elif n_frames < limit:
            n_frames, end_s = n_frames + 1, item.pts_s + item.duration_s
            yield item
        elif item.pts_s > end_s + INTERLEAVE_S:
            break
        yield from (packet for packet in waiting if _starts_before(packet, end_s))
        waiting = [packet for packet in waiting if not _starts_before(packet, end_s)]
    if n_frames < limit:  # the file ended first, with all that it holds
        yield from waiting


def _starts_before(packet: CopiedPacket, end_s: float) -> bool:
    return packet.starts_s is None or packet.starts_s < end_s
