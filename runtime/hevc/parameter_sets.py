"""The parameter sets of a stream as they stand at one packet: any may be sent again, and differ."""

from runtime.hevc.bit_reader import BitstreamError
from runtime.hevc.nal_units import PPS_TYPE, SPS_TYPE, NalUnit
from runtime.hevc.picture_parameters import PictureParameters, read_picture_parameters
from runtime.hevc.sequence_parameters import SequenceParameters, read_sequence_parameters


class ParameterSets:
    """Sets by their ids, at most 16 and 64 of them."""

    def __init__(self) -> None:
        self._sequences: dict[int, SequenceParameters] = {}
        self._pictures: dict[int, PictureParameters] = {}
        self._latest: dict[int, bytes] = {}  # of each type: encoders repeat them with every keyframe

    def update(self, unit: NalUnit) -> None:
        """Take over a parameter set; units of other types are let pass.

        Raises:
            BitstreamError: it can't be read; what was known stays.
        """
        if unit.type not in (SPS_TYPE, PPS_TYPE) or unit.data == self._latest.get(unit.type, b""):
            return
        payload = unit.payload()
        if unit.type == SPS_TYPE:
            sequence = read_sequence_parameters(payload)
            self._sequences[sequence.id] = sequence
        else:
            picture = read_picture_parameters(payload)
            self._pictures[picture.id] = picture
        self._latest[unit.type] = bytes(unit.data)

    def of_slice(self, picture_id: int) -> tuple[PictureParameters, SequenceParameters]:
        """Return what a slice refers to.

        Raises:
            BitstreamError: it was not sent.
        """
        picture = self._pictures.get(picture_id)
        sequence = None if picture is None else self._sequences.get(picture.sequence_id)
        if picture is None or sequence is None:
            raise BitstreamError(f"picture parameter set {picture_id}, or the sequence's that it names, was not sent")
        return picture, sequence
