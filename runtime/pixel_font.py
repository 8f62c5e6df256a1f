"""Words of five by seven dots a letter, for captions in pictures: no font has to be installed.

.###. ####.
#...# #...#
#...# #...#
##### ####.
#...# #...#
#...# #...#
#...# ####.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

HEIGHT_PX = 7
_WIDTH_PX = 5
ADVANCE_PX = _WIDTH_PX + 1

# letters side by side as they look, a space between them
_SHEET = """
ABCDEFGHIJKLM
.###. ####. .###. ####. ##### ##### .###. #...# .###. ..### #...# #.... #...#
#...# #...# #...# #...# #.... #.... #...# #...# ..#.. ...#. #..#. #.... ##.##
#...# #...# #.... #...# #.... #.... #.... #...# ..#.. ...#. #.#.. #.... #.#.#
##### ####. #.... #...# ####. ####. #.### ##### ..#.. ...#. ##... #.... #.#.#
#...# #...# #.... #...# #.... #.... #...# #...# ..#.. ...#. #.#.. #.... #...#
#...# #...# #...# #...# #.... #.... #...# #...# ..#.. #..#. #..#. #.... #...#
#...# ####. .###. ####. ##### #.... .###. #...# .###. .##.. #...# ##### #...#

NOPQRSTUVWXYZ
#...# .###. ####. .###. ####. .#### ##### #...# #...# #...# #...# #...# #####
##..# #...# #...# #...# #...# #.... ..#.. #...# #...# #...# #...# #...# ....#
##..# #...# #...# #...# #...# #.... ..#.. #...# #...# #...# .#.#. .#.#. ...#.
#.#.# #...# ####. #...# ####. .###. ..#.. #...# #...# #.#.# ..#.. ..#.. ..#..
#..## #...# #.... #.#.# #.#.. ....# ..#.. #...# .#.#. #.#.# .#.#. ..#.. .#...
#..## #...# #.... #..#. #..#. ....# ..#.. #...# .#.#. ##.## #...# ..#.. #....
#...# .###. #.... .##.# #...# ####. ..#.. .###. ..#.. #...# #...# ..#.. #####

0123456789.,-
.###. ..#.. .###. ##### ...#. ##### ..##. ##### .###. .###. ..... ..... .....
#...# .##.. #...# ...#. ..##. #.... .#... ....# #...# #...# ..... ..... .....
#..## ..#.. ....# ..#.. .#.#. ####. #.... ...#. #...# #...# ..... ..... .....
#.#.# ..#.. ...#. ...#. #..#. ....# ####. ..#.. .###. .#### ..... ..... .###.
##..# ..#.. ..#.. ....# ##### ....# #...# ..#.. #...# ....# ..... ..... .....
#...# ..#.. .#... #...# ...#. #...# #...# ..#.. #...# ...#. ..##. ..#.. .....
.###. .###. ##### .###. ...#. .###. .###. ..#.. .###. .##.. ..##. .#... .....
"""
_UNKNOWN = "-"


def text_width_px(text: str) -> int:
    """Give the width of a word in dots."""
    return max(0, len(text) * ADVANCE_PX - 1)


def text_mask(text: str) -> NDArray[np.bool_]:
    """Draw one line of text, True where there is ink: [7, 6 * len(text) - 1].

    Letters come out as capitals; what has no glyph, as a dash.
    """
    mask = np.zeros((HEIGHT_PX, text_width_px(text)), bool)
    glyphs = _glyphs()
    for number, letter in enumerate(text.upper()):
        glyph = glyphs.get(letter, glyphs[_UNKNOWN])
        mask[:, number * ADVANCE_PX : number * ADVANCE_PX + _WIDTH_PX] = glyph
    return mask


@cache
def _glyphs() -> dict[str, NDArray[np.bool_]]:
    glyphs = {" ": np.zeros((HEIGHT_PX, _WIDTH_PX), bool)}
    for band in _SHEET.strip().split("\n\n"):
        letters, *rows = band.splitlines()
        dots = np.array([[dot == "#" for dot in row] for row in rows])
        for number, letter in enumerate(letters):
            glyphs[letter] = dots[:, number * ADVANCE_PX : number * ADVANCE_PX + _WIDTH_PX]
    return glyphs
