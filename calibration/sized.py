"""A sample at another size: its pictures repeated or cut, for timing, which looks at no content."""

from dataclasses import replace

import numpy as np

from calibration.samples import Sample

Size = tuple[int, int]  # height, width


def sized(sample: Sample, size: Size) -> Sample:
    """Return a sample whose pictures are repeated, or cut, to another size."""
    rows, columns = (np.arange(length) % own for length, own in zip(size, sample.pristine.shape, strict=True))
    guide = None if sample.guide is None else sample.guide[np.ix_(rows, columns)]
    window = np.stack([frame[np.ix_(rows, columns)] for frame in sample.window])
    return replace(sample, window=window, pristine=sample.pristine[np.ix_(rows, columns)], guide=guide)
