import numpy as np
import onnx
import pytest

from cvqe.errors import ModelError
from runtime.engine import EngineRequest, open_engine
from runtime.model_file import load_model_file


def changed(live_onnx, path, change):
    model = onnx.load(live_onnx)
    change(model)
    onnx.save(model, path)
    return path


def with_five_frames(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5


def with_floats(model):
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT


@pytest.mark.parametrize(
    "change, found", [(with_five_frames, r"uint8 of \[5\] frames"), (with_floats, r"float of \[7\] frames")]
)
def test_a_window_that_the_metadata_does_not_speak_of_is_refused(live_onnx, tmp_path, change, found):
    path = changed(live_onnx, tmp_path / "other.onnx", change)
    with pytest.raises(ModelError, match=rf"other\.onnx: its 'window' is {found}; uint8 of 7 frames was expected"):
        load_model_file(path)


def test_what_onnxruntime_says_while_it_runs_is_one_line(live_onnx):
    engine = open_engine(EngineRequest(load_model_file(live_onnx), 32, 32), "onnxruntime").engine
    with pytest.raises(RuntimeError) as caught:
        engine.enhance(np.zeros((5, 32, 32), np.uint8), qp=37)
    assert len(str(caught.value).splitlines()) == 1
