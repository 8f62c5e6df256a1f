"""A bar of text that says how far a run is and how long it still takes."""

WIDTH = 30


def progress_bar(n_done: int, n_jobs: int, elapsed_s: float) -> str:
    """Draw one line: `[#######-----------------------]  45 of 190, 3 min left`."""
    filled = WIDTH * n_done // max(n_jobs, 1)
    left = f", {_duration(elapsed_s / n_done * (n_jobs - n_done))} left" if 0 < n_done < n_jobs else ""
    return f"[{'#' * filled}{'-' * (WIDTH - filled)}] {n_done:{len(str(n_jobs))}} of {n_jobs}{left}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
