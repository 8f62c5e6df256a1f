"""Weights rounded together: what rounding one of them up or down costs is made good by the ones not yet rounded.

    for every input k of the kernel:   q_k = round(w_k)
                                       w_j -= (w_k - q_k) * U_kj / U_kk    for j > k,   U'U = inverse of sum x x'

The least-squares rounding of GPTQ (Frantar et al., ICLR 2023, algorithm 1). Like AdaRound it keeps a layer's output
near the exact one, not its weights, but without a training loop.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.formats import Format
from calibration.patches import Moments

DAMPING = 0.01  # of the mean square of an input, added to each: keeps inputs that hardly vary from ruling


def rounded_together(
    weight: NDArray[np.float32], scales: NDArray[np.float32], moments: Moments, format_: Format
) -> Any:
    """Return weights as they are stored, in the shape of `weight`.

    Args:
        weight: [C_out, C_in, kh, kw].
        scales: of each output channel, [C_out].
        moments: sum of x x' over what the kernel covers, [K, K], K = C_in * kh * kw.
    """
    left = weight.reshape(len(weight), -1).astype(np.float64) / scales[:, None]
    factor = _factor(moments)
    stored = np.empty(left.shape, format_.store(np.zeros(1, np.float32)).dtype)
    for k in range(left.shape[1]):
        stored[:, k] = format_.store(left[:, k].astype(np.float32))
        error = (left[:, k] - stored[:, k].astype(np.float64)) / factor[k, k]
        left[:, k + 1 :] -= error[:, None] * factor[k, k + 1 :]
    return stored.reshape(weight.shape)


def _factor(moments: Moments) -> Moments:
    """Return the upper triangular U with U'U = the inverse of the damped moments."""
    damped = moments + np.eye(len(moments)) * max(DAMPING * np.diag(moments).mean(), np.finfo(np.float64).tiny)
    factor: Moments = np.linalg.cholesky(np.linalg.inv(damped)).T
    return factor
