"""The partitions of a stream's pictures, packet by packet: what the coder decided, read without decoding a pixel."""

import logging
import threading
from functools import cache

from cvqe.partition import Partition
from runtime.hevc.bit_reader import BitstreamError
from runtime.hevc.nal_units import NalUnit, length_size, units_of_extradata, units_of_packet
from runtime.hevc.parameter_sets import ParameterSets
from runtime.hevc.picture_order import PictureOrder
from runtime.hevc.picture_reader import PictureReader, load_slice_data_reader
from runtime.hevc.slice_segment import SliceSegment, read_slice_segment

log = logging.getLogger(__name__)
# a first use is not worth a word where the compiled parser is cached
_LOADING_S = 3
_COMPILING = "compiling the parser of HEVC partitions for this processor: half a minute, once, then it is cached"


@cache
def compile_parser() -> None:
    """Load the compiled parser from Numba's cache, or compile it, ahead of the first frame; say so if that is slow.

    The cache is `__pycache__` beside the sources, or the user's cache folder where that can't be written, or the folder
    that NUMBA_CACHE_DIR names. Each process does this once.
    """
    timer = threading.Timer(_LOADING_S, log.warning, [_COMPILING])
    timer.daemon = True
    timer.start()
    try:
        load_slice_data_reader()
    finally:
        timer.cancel()


class PartitionReader:
    """Follows a stream packet by packet, in the order of decoding; one packet holds one picture.

    Attributes:
        obstacle: why the latest packet gave no partition, None where it gave one.
    """

    def __init__(self, extradata: bytes | None) -> None:
        """Begin with what the container stores outside the packets, an hvcC box or Annex B; it may be nothing."""
        self.obstacle: str | None = None
        self._sets = ParameterSets()
        self._order = PictureOrder()
        self._before: PictureReader | None = None
        self._length_size = 0
        compile_parser()
        self.take_extradata(extradata or b"")

    def take_extradata(self, extradata: bytes) -> None:
        """Take over parameter sets, and the framing of all packets from here on."""
        self._length_size = length_size(extradata)
        try:
            for unit in units_of_extradata(extradata):
                self._sets.update(unit)
        except BitstreamError as error:  # the packets may bring their own
            log.debug("extradata: %s", error)

    def feed(self, packet: bytes | memoryview) -> Partition | None:
        """Read the picture that a packet holds.

        Pictures of other layers (a second view, a finer one) are left out. The GIL is released in the heavy part.

        Returns:
            its partition, with what could not be read in its `errors`; None where there is no picture, or one whose
            headers can't be read or ask for what is not read here: `obstacle` says so.
        """
        picture = _PacketPicture(self._sets, self._order, self._before)
        for unit in units_of_packet(packet, self._length_size):
            if not unit.layer:
                picture.take(unit)
        self._before = picture.reader or self._before
        self.obstacle = picture.obstacle
        return picture.partition()


class _PacketPicture:
    """What one packet holds of a picture, and what is wrong with it."""

    def __init__(self, sets: ParameterSets, order: PictureOrder, before: PictureReader | None) -> None:
        self._sets, self._order, self._before = sets, order, before
        self.reader: PictureReader | None = None
        self._errors: list[str] = []
        self._temporal_id = self._order_count = 0

    def take(self, unit: NalUnit) -> None:
        """Take over a parameter set, or read a slice segment."""
        try:
            if unit.is_slice_segment:
                self._read(unit)
            elif unit.ends_sequence:
                self._order.end_sequence()
            else:
                self._sets.update(unit)
        except BitstreamError as error:
            self._errors.append(str(error))

    def _read(self, unit: NalUnit) -> None:
        segment = read_slice_segment(unit, self._sets, self.reader.last if self.reader else None)
        if self.reader is None:
            self._begin(unit, segment)
        elif segment.is_first:
            raise BitstreamError("the packet holds a second picture")
        assert self.reader is not None
        self.reader.read(segment)

    def _begin(self, unit: NalUnit, first: SliceSegment) -> None:
        self.reader = PictureReader(first, self._before)
        self._temporal_id = unit.temporal_id
        n_bits = first.sequence.log2_max_order_count
        self._order_count = self._order.count(unit, first.slice_header.order_count, n_bits)
        if not first.is_first:
            self._errors.append("the picture's first slice is missing")

    @property
    def obstacle(self) -> str | None:
        """Why there is no partition, None where there is one."""
        if self.reader is not None:
            return None
        return self._errors[0] if self._errors else "the packet holds no picture"

    def partition(self) -> Partition | None:
        """Return the picture's partition, None where there is none."""
        if self.reader is None:
            return None
        return self.reader.partition(self._temporal_id, self._order_count, self._errors)
