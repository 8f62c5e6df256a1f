import torch

from tests.networks import made_up_network


def test_what_its_layers_draw_is_taken_away_from_the_frame():
    network, frame = made_up_network("dncnn", layers=4, channels=8), torch.rand(1, 1, 6, 7)
    with torch.no_grad():
        torch.testing.assert_close(network(frame), frame - network.layers(frame))
