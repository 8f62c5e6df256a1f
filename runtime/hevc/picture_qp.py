"""A picture's quantiser from the headers of its slices."""

import logging

from runtime.hevc.bit_reader import BitstreamError
from runtime.hevc.nal_units import length_size, units_of_extradata, units_of_packet
from runtime.hevc.parameter_sets import ParameterSets
from runtime.hevc.slice_header import read_slice_header

log = logging.getLogger(__name__)


class PictureQpReader:
    """Follows a stream packet by packet, in the order of decoding; one packet holds one picture."""

    def __init__(self, extradata: bytes | None) -> None:
        """Begin with what the container stores outside the packets, an hvcC box or Annex B; it may be nothing."""
        self._sets = ParameterSets()
        self._length_size = 0
        self.take_extradata(extradata or b"")

    def take_extradata(self, extradata: bytes) -> None:
        """Take over parameter sets, and the framing of all packets from here on."""
        self._length_size = length_size(extradata)
        try:
            for unit in units_of_extradata(extradata):
                self._sets.update(unit)
        except BitstreamError as error:  # the packets may bring their own
            log.debug("extradata: %s", error)

    def qp(self, packet: bytes | memoryview) -> float | None:
        """Return the mean of a picture's slice quantisers, each as often as there are slices.

        The scale is the standard's at any depth: 0 to 51, and below 0 above eight bits. Blocks may differ from their
        slice where the encoder adapts them (cu_qp_delta: x265's aq-mode, cutree, rate control inside a picture); that
        is coded among their coefficients and not seen here.

        Returns:
            None for a packet without a slice, and where a header can't be read.
        """
        try:
            qps = self._slice_qps(packet)
        except BitstreamError as error:
            log.debug("packet of %d bytes: %s", len(packet), error)
            return None
        return sum(qps) / len(qps) if qps else None

    def _slice_qps(self, packet: bytes | memoryview) -> list[int]:
        qps = []
        for unit in units_of_packet(packet, self._length_size):
            if unit.layer:  # another view or a finer layer, which is not decoded
                continue
            if not unit.is_slice_segment:
                self._sets.update(unit)
                continue
            qp = read_slice_header(unit, self._sets).qp
            if qp is not None:
                qps.append(qp)
        return qps
