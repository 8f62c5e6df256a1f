"""Engines as they are loaded, with a TensorRT that only notes what it is asked."""

import gc
import shlex
from types import SimpleNamespace

import pytest

from cvqe.errors import BackendError, ModelError, UsageError
from export.build_engine import parse_args
from plugins.deform_conv.callback_errors import keep_error, take_error
from plugins.tensorrt_log import tensorrt_log
from runtime.engine_file import load_engine_file
from runtime.tensorrt_engine import LoadedEngine
from tests.engines import save_engine
from tests.simulated_tensorrt import simulated_tensorrt


class NotingEngine:
    """Notes how its context is asked for."""

    def __init__(self, has_memory=True):
        self.has_memory, self.asked = has_memory, []

    def create_runtime_config(self):
        return SimpleNamespace()

    def create_execution_context(self, *config):
        self.asked.append(config)
        return object() if self.has_memory else None


@pytest.fixture
def engine_file(tmp_path):
    """Return a function that writes an engine without our plugin and loads the file."""

    def save(**changes):
        save_engine(tmp_path / "m.engine", **{"plugin_sha256": None, **changes})
        return load_engine_file(tmp_path / "m.engine")

    return save


def test_kernels_are_compiled_for_the_size_before_it_runs_where_the_library_can_be_told(engine_file):
    engine = NotingEngine()
    LoadedEngine(simulated_tensorrt(engine, compiles_for_shapes=True), engine_file())
    ((config,),) = engine.asked
    assert config.dynamic_shapes_kernel_specialization_strategy == "eager"
    LoadedEngine(simulated_tensorrt(engine), engine_file())
    assert engine.asked[1] == ()


@pytest.mark.parametrize("is_compatible", [False, True])
def test_only_a_version_compatible_engine_may_bring_host_code(engine_file, is_compatible):
    trt = simulated_tensorrt(NotingEngine())
    LoadedEngine(trt, engine_file(build={"versionCompatible": is_compatible}))
    assert trt.made[0].engine_host_code_allowed is is_compatible


def test_plugins_of_ones_own_are_loaded_into_the_runtime(engine_file, tmp_path):
    library, wrong = tmp_path / "mine.so", tmp_path / "wrong.so"
    library.touch()
    wrong.touch()
    trt = simulated_tensorrt(NotingEngine())
    LoadedEngine(trt, engine_file(), [library])
    assert trt.made[0].registry.loaded == [str(library)]
    for path in (tmp_path / "none.so", wrong):
        with pytest.raises(UsageError, match=rf"{path.name} is no library of TensorRT plugins"):
            LoadedEngine(trt, engine_file(), [path])


def test_a_refused_engine_is_told_in_tensorrts_words_with_the_command_that_builds_it(engine_file):
    with pytest.raises(BackendError, match=r"m\.engine does not load: the header is wrong\n") as caught:
        LoadedEngine(simulated_tensorrt(None), engine_file())
    command = str(caught.value).partition("build the engine again:  ")[2]
    assert parse_args(shlex.split(command)[2:]).force


def test_errors_of_an_earlier_engine_are_not_told_of_this_one(engine_file):
    trt = simulated_tensorrt(NotingEngine(has_memory=False))
    tensorrt_log(trt).logger.log("error", "an earlier engine's")
    keep_error(ModelError("an earlier node's"), "dcn")
    with pytest.raises(BackendError, match="gets no execution context: TensorRT does not say why") as caught:
        LoadedEngine(trt, engine_file())
    assert "an earlier" not in str(caught.value)


def test_a_library_that_makes_no_runtime_is_one_sentence(engine_file):
    trt = simulated_tensorrt(NotingEngine())

    def refuse(_logger):
        raise TypeError("factory function returned nullptr")

    trt.Runtime = refuse
    with pytest.raises(BackendError, match="gets no runtime"):
        LoadedEngine(trt, engine_file())


def test_what_our_plugin_says_comes_before_what_tensorrt_makes_of_it(engine_file):
    loaded = LoadedEngine(simulated_tensorrt(NotingEngine()), engine_file())
    keep_error(ModelError("there is no kernel for 12.0"), "dcn")
    with pytest.raises(BackendError, match=r"m\.engine does not run: node dcn: there is no kernel for 12\.0$"):
        loaded.need(True, "does not run")  # TensorRT may go on without
    assert take_error() is None
    assert loaded.need(0, "counts nothing") == 0
    with pytest.raises(BackendError, match="does not run: TensorRT does not say why"):
        loaded.need(False, "does not run")


def test_context_engine_and_runtime_are_given_back_in_this_order(engine_file):
    gone = []

    class Context:
        def __del__(self):
            gone.append("context")

    class Engine:
        def create_execution_context(self):
            return Context()

        def __del__(self):
            gone.append("engine")

    class Runtime:
        def __init__(self, _logger):
            pass

        def get_plugin_registry(self):
            return None

        def deserialize_cuda_engine(self, _content):
            return Engine()

        def __del__(self):
            gone.append("runtime")

    trt = simulated_tensorrt(None)
    trt.Runtime = Runtime
    loaded = LoadedEngine(trt, engine_file())
    loaded.close()
    loaded.close()
    gc.collect()
    assert gone == ["context", "engine", "runtime"]
