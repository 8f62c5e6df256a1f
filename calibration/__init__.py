"""From a float ONNX file to an 8-bit one: explicit Q/DQ from real decoded frames, and a gate that it must pass."""
