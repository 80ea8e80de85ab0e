"""The metrics of training, and what each of them means."""

from __future__ import annotations

from specc.kinds.base import Metric


def _metric(name: str, label: str, unit: str, better: str, definition: str) -> Metric:
    return Metric(name=name, label=label, unit=unit, better=better, definition=definition)


METRICS = (
    _metric(
        "best_val_ce",
        "Best validation cross-entropy",
        "nats",
        "lower",
        "Lowest loss_val_nats of all validations of the run (records `quarter`), each of the same "
        "quarter_samples images. Chosen by the images it is of, so lower than those weights reach "
        "on others, and the more validations the lower: compare runs of equal length by it.",
    ),
    _metric(
        "best_val_epoch",
        "Epoch of the best validation",
        "epochs",
        "none",
        "Epoch of the first validation that has best_val_ce.",
    ),
    _metric(
        "final_val_accuracy",
        "Final validation accuracy",
        "1",
        "higher",
        "acc_val_all of the final weights (record `weights`): of all validation images. Of runs "
        "without it, acc_val of the last validation (records `quarter`).",
    ),
    _metric(
        "final_val_ce",
        "Final validation cross-entropy",
        "nats",
        "lower",
        "loss_val_all_nats of the final weights (record `weights`): of all validation images.",
    ),
    _metric(
        "alpha_early",
        "Early slope",
        "1",
        "none",
        "Slope of log(loss_train_nats) over log(step) by least squares, over the epochs of "
        "windows.alpha_early, every batch as it is. Below 0 where the loss falls: the steeper, the "
        "more negative. Of the logarithms of noisy losses: noise that grows relative to the loss "
        "makes it more negative.",
    ),
    _metric(
        "alpha_full",
        "Full slope",
        "1",
        "none",
        "As alpha_early, from the burn-in to the end of the run.",
    ),
    _metric(
        "alpha_early_effective_n",
        "Effective points of the early slope",
        "1",
        "none",
        "Independent points that the batches of alpha_early are worth: far below their number "
        "where the curve bends.",
    ),
    _metric(
        "r_squared",
        "R² of the power law",
        "1",
        "higher",
        "Share of variance that loss = offset + amplitude * step^-a explains, from the burn-in "
        "(from the first step where it is never reached) to the end, of the losses of batches "
        "smoothed: means over r_squared_bins bins of equal width in log(step), each weighed by its "
        "batches. For a smooth curve nearly 1 by itself: read it with r_squared_raw, "
        "r_squared_holdout and r_squared_effective_n.",
    ),
    _metric(
        "r_squared_raw",
        "R² of the power law, unsmoothed",
        "1",
        "higher",
        "As r_squared, the same law held against the loss of every batch as it is: what the noise "
        "of batches hides counts as unexplained.",
    ),
    _metric(
        "r_squared_holdout",
        "R² on the held-out tail",
        "1",
        "higher",
        "Share of variance of the last fifth of the steps, smoothed by bins of the same width, "
        "that a power law fitted to the rest foretells; below 0 where their mean would foretell "
        "it better.",
    ),
    _metric(
        "r_squared_effective_n",
        "Effective points of the power law",
        "1",
        "none",
        "Independent points that the batches of the power law are worth (effective sample size of "
        "what the law leaves of the unsmoothed losses), whatever the smoothing.",
    ),
    _metric(
        "r_squared_bins",
        "Smoothing of the power law",
        "bins",
        "none",
        "Bins whose means r_squared is of: one for 16 batches of the fit, 8 at least and 200 at "
        "most, less those that hold no batch.",
    ),
    _metric(
        "knee_epoch",
        "Knee",
        "epochs",
        "none",
        "Where two straight lines in log-log that meet fit the training loss best, from the "
        "burn-in to the end as alpha_full; null where one line suffices, and without a burn-in.",
    ),
    _metric(
        "burn_in_epoch",
        "End of the burn-in",
        "epochs",
        "lower",
        "First epoch from which the smoothed training loss (exponentially weighted mean, span "
        "windows.smoothing_steps) stays at or below windows.burn_in_ce.",
    ),
    _metric(
        "burn_in_loss",
        "Loss at the end of the burn-in",
        "nats",
        "none",
        "Smoothed training loss at burn_in_epoch.",
    ),
    _metric(
        "lambda_max_final",
        "Largest eigenvalue at the end",
        "1",
        "none",
        "lambda_max of the last record `curvature`: the eigenvalue of the Hessian with the largest "
        "magnitude, sign kept, as far as the iteration came (lambda_residual).",
    ),
    _metric(
        "hutchinson_trace_final",
        "Trace of the Hessian at the end",
        "1",
        "none",
        "hutchinson_trace of the last record `curvature`.",
    ),
    _metric(
        "duration_min",
        "Minutes of training",
        "min",
        "lower",
        "Sum of the seconds of all epochs, callbacks included (records `epoch`).",
    ),
    _metric(
        "step_ms",
        "Time of a step",
        "ms",
        "lower",
        "Median step_ns of all batches, without callbacks (records `batch`).",
    ),
    _metric(
        "callback_share_pct",
        "Share of callbacks",
        "%",
        "lower",
        "Time of all callbacks over that of steps and callbacks (records `batch`).",
    ),
    _metric(
        "gpu_memory_bytes",
        "Peak GPU memory",
        "B",
        "lower",
        "gpu_memory_reserved_bytes of the record `resources`: what torch held on the GPU at most, "
        "without the CUDA context.",
    ),
    _metric(
        "rss_peak_bytes",
        "Peak memory",
        "B",
        "lower",
        "Largest resident set of the process (record `resources`).",
    ),
)
"""Most important first."""
