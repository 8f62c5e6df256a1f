"""Deformable convolution, ONNX DeformConv: the equation, and kernels for the backends."""
