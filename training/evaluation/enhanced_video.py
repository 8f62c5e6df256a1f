"""A subject that was enhanced elsewhere: its video against the decoded one."""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from cvqe.errors import InputError
from cvqe.file_digest import sha256_of
from training.evaluation.cases import SINGLE_FILE, Case
from training.evaluation.luma_clip import LumaClip, open_luma, refuse_other_format
from training.evaluation.subject import Facts, Frames, TimedFrame


@dataclass(frozen=True)
class EnhancedVideo:
    """A file beside one coded file, or a folder laid out like the one with the coded clips."""

    name: str
    path: Path

    def file(self, case: Case) -> Path:
        """Return the enhanced version of a case.

        Raises:
            InputError: there is none.
        """
        path = self.path if case.configuration == SINGLE_FILE else case.version_in(self.path)
        if not path.is_file():
            wanted = "a video file" if case.configuration == SINGLE_FILE else "laid out like the coded clips"
            raise InputError(f"{path} is no file; --pair must name {wanted}.")
        return path

    def facts(self, case: Case) -> Facts:
        """See Subject."""
        return Facts(self.name, sha256=sha256_of(self.file(case)))

    def needs_partitions(self, case: Case) -> bool:
        """See Subject."""
        return False

    def enhance(self, case: Case, decoded: LumaClip) -> Frames:
        """Read the file in step with the decoded one; its frames are yielded even where there are more of them.

        Raises:
            InputError: it has another size or depth.
        """
        with open_luma(self.file(case), decoded.first_frames) as enhanced:
            refuse_other_format(enhanced, decoded)
            for _, frame in zip_longest(decoded.frames, enhanced.frames):
                if frame is None:
                    return
                yield TimedFrame(frame.luma)
