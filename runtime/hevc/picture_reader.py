"""One picture being read: its slice segments, one after the other, into its maps."""

import numpy as np

from cvqe.partition import CELL_PX, Partition
from runtime.hevc.bit_reader import BitstreamError
from runtime.hevc.contexts import N_BYTES
from runtime.hevc.slice_data import (
    CARRIED_BYTES,
    MISALIGNED,
    NO_SUBSET_END,
    OVERLAPPED,
    PAST_PICTURE,
    RAN_OUT,
    WHOLE,
    slice_data_reader,
)
from runtime.hevc.slice_maps import CODING, MODE, N_MAPS, QP, QP_SHIFT, TRANSFORM
from runtime.hevc.slice_parameters import STATE, set_slice, state_of_picture
from runtime.hevc.slice_segment import SliceSegment
from runtime.hevc.tiles import TileOrder, tile_order

_LETTERS = "BPI"  # by slice type
_PROBLEMS = {
    RAN_OUT: "its data end too early, or are damaged",
    MISALIGNED: "it does not end where its data do",
    PAST_PICTURE: "it goes on past the picture's end",
    NO_SUBSET_END: "a tile or row does not end where the next one begins",
    OVERLAPPED: "it covers blocks that another one covers",
}


def load_slice_data_reader() -> None:
    """Have the reader of slice data loaded or compiled, by reading data that end at once."""
    state = np.zeros(1, STATE).view(np.recarray)[0]
    state.columns = state.rows = state.is_intra = 1
    state.width = state.height = 8
    state.log2_coding_tree, state.log2_min_coding, state.log2_qp_group = 4, 3, 4
    maps, zeros = np.zeros((N_MAPS, 4, 4), np.uint8), np.zeros(1, np.int32)
    contexts, carried = np.zeros(N_BYTES, np.uint8), np.zeros(CARRIED_BYTES, np.uint8)
    order = TileOrder(zeros, zeros, zeros, zeros)
    slice_data_reader()(np.frombuffer(b"\0", np.uint8), 1, contexts, carried, order, zeros - 1, maps, state)


class PictureReader:
    """Takes the segments of one picture and gives its partition; parameter sets stay those of its first segment."""

    def __init__(self, first: SliceSegment, before: "PictureReader | None") -> None:
        """Begin with a picture's first segment.

        Args:
            first: not read yet.
            before: the reader of the picture before: tables that depend on parameter sets are taken over from it.

        Raises:
            BitstreamError: the picture's tiles don't fit into it.
        """
        self._order: TileOrder
        self._state: np.record
        self.picture, self.sequence = first.picture, first.sequence
        if before is not None and (before.picture, before.sequence) == (self.picture, self.sequence):
            self._order, self._state = before._order, before._state
        else:
            self._order = tile_order(self.picture.tiles, self.sequence.n_columns, self.sequence.n_rows)
            self._state = state_of_picture(self.picture, self.sequence)
        size = self.sequence.format
        self._maps = np.zeros((N_MAPS, -(-size.height // CELL_PX), -(-size.width // CELL_PX)), np.uint8)
        self._slices = np.full(self.sequence.n_coding_trees, -1, np.int32)
        self._row_contexts = np.zeros(N_BYTES, np.uint8)
        self._carried = np.zeros(CARRIED_BYTES, np.uint8)
        self._types = ""
        self._next_place = -1  # behind the segment before, -1 where that is damaged or none
        self.last: SliceSegment | None = None

    def read(self, segment: SliceSegment) -> None:
        """Read one segment.

        Raises:
            BitstreamError: it is damaged, or belongs to another picture.
        """
        if (segment.picture, segment.sequence) != (self.picture, self.sequence):
            raise BitstreamError("a slice refers to other parameter sets than its picture")
        if segment.is_dependent and self._order.place_of[segment.address] != self._next_place:
            raise BitstreamError(f"the slice segment at block {segment.address} depends on one that was not read")
        self.last, self._next_place = segment, -1
        if not segment.is_dependent:
            self._types += _LETTERS[segment.slice_header.type or 0]
        set_slice(self._state, segment)
        ending = slice_data_reader()(
            np.frombuffer(segment.payload, np.uint8),
            segment.start,
            self._row_contexts,
            self._carried,
            self._order,
            self._slices,
            self._maps,
            self._state,
        )
        if ending != WHOLE:
            raise BitstreamError(f"the slice at block {segment.address}: {_PROBLEMS[ending]}")
        self._next_place = int(self._state.next_place)

    def partition(self, temporal_id: int, order_count: int, errors: list[str]) -> Partition:
        """Return what was read; blocks that no segment covered are an error."""
        n_missing = int((self._slices < 0).sum())
        if n_missing:
            errors = [*errors, f"{n_missing} of {len(self._slices)} coding tree blocks were not sent"]
        return Partition(
            transform=self._maps[TRANSFORM],
            coding=self._maps[CODING],
            mode=self._maps[MODE],
            qp=(self._maps[QP] - np.uint8(QP_SHIFT)).view(np.int8),
            window=self.sequence.format.window,
            slice_types=self._types,
            temporal_id=temporal_id,
            order_count=order_count,
            errors=tuple(errors),
        )
