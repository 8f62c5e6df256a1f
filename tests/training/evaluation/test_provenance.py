from training.evaluation.provenance import command_line


def test_a_command_is_recorded_without_this_machines_folders():
    words = ["--clips", "/home/me/clips", "--onnx=/tmp/net.onnx", "--set", "a=/b", "out/x", "two words"]
    assert command_line("s.py", words) == "s.py --clips clips --onnx=net.onnx --set a=/b out/x 'two words'"
