"""The block that gains most."""

import numpy as np

from training.evaluation.best_block import BestBlock


def test_it_is_found_in_space_and_time():
    pristine = np.full((200, 300), 100, np.uint8)
    decoded = pristine + 4
    best = BestBlock()
    for frame, (top, left, gain) in enumerate([(0, 0, 1), (96, 192, 3), (0, 96, 2)]):
        enhanced = decoded.copy()
        enhanced[top : top + 96, left : left + 96] -= np.uint8(gain)
        best.see(frame, decoded, enhanced, pristine)
    block = best.block
    assert (block.frame, block.top, block.left) == (1, 96, 192)
    assert {(plane.shape, int(plane.min()), int(plane.max())) for plane in (block.decoded,)} == {((96, 96), 104, 104)}
    assert (block.enhanced == 101).all() and (block.pristine == 100).all()


def test_a_frame_smaller_than_a_block_is_one():
    plane = np.zeros((5, 7), np.uint8)
    best = BestBlock()
    best.see(0, plane + 2, plane + 1, plane)
    assert best.block.pristine.shape == (5, 7)


def test_of_losses_the_least_is_kept():
    plane = np.full((96, 96), 50, np.uint8)
    best = BestBlock()
    for frame, loss in enumerate([3, 1, 2]):
        best.see(frame, plane, plane + np.uint8(loss), plane)
    assert best.block.frame == 1
