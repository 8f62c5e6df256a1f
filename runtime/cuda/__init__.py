"""Windows enhanced on an NVIDIA GPU: the driver, the frames in its memory, the engine that moves them."""
