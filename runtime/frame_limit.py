"""The first N frames of a video, and of other streams what belongs to their time."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator

from cvqe.frame import Frame
from runtime.copied_packet import CopiedPacket

INTERLEAVE_S = 1.0  # how much later than its frame a packet of the same moment may stand in a file


def first_frames(
    items: Iterator[Frame | CopiedPacket], limit: int, has_other_streams: bool = True
) -> Iterator[Frame | CopiedPacket]:
    """Yield the first `limit` frames, and packets that start before the last of them ends.

    A packet waits until the frames have reached its time; which one is the last shows only then. Where there are
    frames alone, nothing behind the last one is read.
    """
    n_frames, end_s = 0, -math.inf
    waiting: defaultdict[int, deque[CopiedPacket]] = defaultdict(deque)  # by stream, each in its own order
    for item in items:
        if isinstance(item, CopiedPacket):
            waiting[item.stream_index].append(item)
        elif n_frames < limit:
            n_frames, end_s = n_frames + 1, item.pts_s + item.duration_s
            yield item
            if n_frames == limit and not has_other_streams:
                return
        elif item.pts_s > end_s + INTERLEAVE_S:
            break
        for queue in waiting.values():
            while queue and _starts_before(queue[0], end_s):
                yield queue.popleft()
    is_whole = n_frames < limit  # the file ended first, with all that it holds
    left = (packet for queue in waiting.values() for packet in queue)
    yield from (packet for packet in left if is_whole or _starts_before(packet, end_s))


def _starts_before(packet: CopiedPacket, end_s: float) -> bool:
    return packet.starts_s is None or packet.starts_s < end_s
