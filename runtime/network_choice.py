"""Which network a video gets, and which engine runs it."""

import logging
from collections.abc import Sequence

from runtime.decoder import Source
from runtime.engine import Choice, EngineRequest, open_engine
from runtime.fields import open_field_engine
from runtime.model_choice import versions_named
from runtime.model_file import ModelFile, nearest_version
from runtime.stream_config import StreamConfig
from runtime.untrained_qp import qp_span

log = logging.getLogger(__name__)
NEAR_QP = 3


def takes_guide(versions: Sequence[ModelFile]) -> bool:
    """Tell whether any of a network's files wants to know how the input's coder divided its pictures."""
    return any(version.manifest.takes_guide for version in versions)


def choose_network(config: StreamConfig, source: Source) -> tuple[ModelFile, Choice]:
    """Pick the network by the QP of the first frames, then the engine by what is installed.

    Raises:
        ModelError, BackendError: there is no such network, or nothing that runs it.
    """
    info = source.info
    qp = config.qp if config.qp is not None else source.qp
    model = nearest_version(versions_named(config.model, config.precision), None if qp is None else round(qp))
    request = EngineRequest(model, info.height, info.width, info.bit_depth, config.precision, config.threads)
    _warn_of_other_qp(model, qp)
    opened = open_field_engine if info.is_interlaced else open_engine
    return model, opened(request, config.backend)


def _warn_of_other_qp(model: ModelFile, qp: float | None) -> None:
    trained = model.manifest.qp
    # a network of one QP serves those around it: the next one's is five away
    margin = NEAR_QP if len(set(trained)) == 1 else 0
    if qp is not None and trained and not min(trained) - margin <= qp <= max(trained) + margin:
        log.warning(
            "%s is meant for QP %s, the input is at QP %.0f: it may gain less, or lose",
            model.path.name,
            qp_span(trained),
            qp,
        )
