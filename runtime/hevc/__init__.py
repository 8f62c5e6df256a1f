"""HEVC bitstreams, as far as they are read here: NAL units, parameter sets, slice headers (Rec. ITU-T H.265)."""
